// Words of questions: without stop words, stemmed, and with their synonyms in this domain.

const SAYS_NOTHING = new Set(
  "a an the of to in on at by for from with and or is are was were be been am do does did have has had we i you he she they it its our my your their this that these those there some any one me us them so what which how where if not yet can could would should please want need than then as into up out about".split(
    " ",
  ),
);

const IRREGULAR: Readonly<Record<string, string>> = {
  people: "person",
  persons: "person",
  children: "child",
  written: "write",
  wrote: "write",
  said: "say",
  sent: "send",
  sold: "sell",
  left: "left",
  found: "find",
  given: "give",
  got: "get",
  gone: "go",
  replies: "reply",
  replied: "reply",
  statuses: "status",
  status: "status",
};

/** Strips plural, -ing, -ed and a silent e; good enough, since both sides are stemmed. */
export function stem(word: string): string {
  const irregular = IRREGULAR[word];
  if (irregular !== undefined) return irregular === word ? word : stem(irregular);
  let cut = word;
  if (cut.length > 4 && cut.endsWith("ies")) cut = `${cut.slice(0, -3)}y`;
  else if (cut.length > 3 && cut.endsWith("s") && !/(?:ss|us)$/.test(cut)) cut = cut.slice(0, -1);
  if (cut.length > 5 && cut.endsWith("ing")) cut = undoubled(cut.slice(0, -3));
  else if (cut.length > 4 && cut.endsWith("ed")) cut = undoubled(cut.slice(0, -2));
  return cut.length > 4 && cut.endsWith("e") ? cut.slice(0, -1) : cut;
}

const undoubled = (word: string): string => (/([bdgmnprt])\1$/.test(word) ? word.slice(0, -1) : word);

/** What several words mean together, in the words of operations. */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\be-mail/g, "email"],
  [/\bto-?dos?\b/g, "todo"],
  [/\bget(?:ting)? out\b/g, "leave"],
  [/\b(?:run|running|going) (?:out|low|short)\b/g, "scarce low"],
  [/\b(?:sold|all) out\b/g, "scarce"],
  [/\b(?:alert|tell|notify|warn|inform) (?:me|us) (?:when|if|of|about)\b/g, "notify create rule when"],
  [/\blook(?:ing)? (?:up|for)\b/g, "search"],
  [/\b(?:tick|check|cross) off\b/g, "update completed"],
  [/\bget rid of\b/g, "delete"],
  [/\bset up\b/g, "create"],
];

const split = (text: string): string[] =>
  PHRASES.reduce(
    (words, [phrase, meant]) => words.replace(phrase, meant),
    text.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2").toLowerCase(),
  )
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);

/** The stems of a text, in order; `messages.send`, `send_message` and `sendMessage` have the same. */
export const wordsOf = (text: string): string[] =>
  split(text)
    .filter((word) => !SAYS_NOTHING.has(word))
    .map(stem);

/** Synonyms and near synonyms among the operations of the services; the words that operations use come first. */
const LIKE = [
  "stock scarce quantity inventory available left remaining running low sold out supply level",
  "item product article goods sku merchandise sell",
  "order purchase sale",
  "customer client buyer shopper",
  "record contact person company lead crm entry",
  "insight finding observation signal",
  "session room channel chatroom conversation",
  "chat conversation thread dialogue",
  "message text reply answer say write dm chat",
  "member participant who agent attendee",
  "task todo chore assignment reminder",
  "note memo remark comment",
  "completed finished done tick check complete",
  "awb shipment parcel package waybill delivery courier shipping bosta pickup",
  "log history past track tracking",
  "timeline history activity happened past event",
  "tag label mark",
  "attribute field column property",
  "object kind type entity",
  "alias nickname name",
  "phone telephone number mobile",
  "call phone ring dial telephone",
  "invite invitation colleague teammate coworker join",
  "context memory knowledge know remember fact",
  "ask question know query",
  "notification alert notify warn tell inform",
  "rule alert when watch condition",
  "integration connect account calendar link oauth",
  "pair code pairing let somebody someone link",
  "renew extend longer alive prolong keep",
  "health up alive reachable running available status",
  "status shipped delivered paid confirmed state stage mark",
  "archive trash",
  "upsert exist",
  "relationship relation link related",
  "template yet first",
  "server service host",
  "warehouse depot storage location",
  "user organization team company",
  "due deadline date",
] as const;

/** The verbs of operations, by the words that ask for them; words of the second text count half. */
const ASKED: Readonly<Record<string, readonly [clearly: string, perhaps?: string]>> = {
  create: ["create new open start make begin book register place", "add set write"],
  add: ["add put insert append attach include remember save store"],
  update: ["update change edit modify mark rename correct adjust", "set tick move"],
  upsert: ["upsert ensure"],
  delete: ["delete erase destroy", "remove drop"],
  remove: ["remove detach", "take delete"],
  list: ["list which all every latest recent everything", "show what"],
  get: ["get show one detail", "look"],
  search: ["search find lookup", "look"],
  send: ["send write reply answer message tell"],
  leave: ["leave quit exit"],
  join: ["join", "enter"],
  claim: ["claim redeem", "enter use"],
  cancel: ["cancel withdraw revoke"],
  ask: ["ask", "know what question"],
  connect: ["connect", "link"],
  initiate: ["ring call dial"],
  renew: ["renew extend prolong", "keep"],
  archive: ["archive"],
};

const likes = new Map<string, string[]>();
for (const group of LIKE) {
  const stems = [...new Set(group.split(" ").map(stem))];
  for (const one of stems)
    likes.set(one, [...(likes.get(one) ?? []), ...stems.filter((other) => other !== one)]);
}

/** The near synonyms of a stem. */
export const likesOf = (word: string): readonly string[] => likes.get(word) ?? [];

const PERHAPS = 0.5;

/** How clearly a question asks for each verb of operations, 0 to 1. */
export function verbsOf(question: string): ReadonlyMap<string, number> {
  const asked = new Map<string, number>();
  for (const word of split(question).map(stem))
    for (const [verb, worth] of VERBS.get(word) ?? []) asked.set(verb, Math.max(worth, asked.get(verb) ?? 0));
  return asked;
}

const VERBS: ReadonlyMap<string, readonly (readonly [verb: string, worth: number])[]> = (() => {
  const verbs = new Map<string, [string, number][]>();
  const take = (words: string, verb: string, worth: number) => {
    for (const word of words.split(" ").filter(Boolean).map(stem))
      verbs.set(word, [...(verbs.get(word) ?? []), [stem(verb), worth]]);
  };
  for (const [verb, [clearly, perhaps = ""]] of Object.entries(ASKED)) {
    take(clearly, verb, 1);
    take(perhaps, verb, PERHAPS);
  }
  return verbs;
})();
