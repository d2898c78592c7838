// The fingerprint of a text, for two people or two screens to compare: as hexadecimal digits, and as words that are
// easier to read aloud. No Node.js in it: the page in the browser makes the same.

export interface Fingerprint {
  /** The SHA-256 of the text in UTF-8: 16 groups of four digits, lower case. */
  hex: string[];
  /** One for each of its first 16 bytes: 128 bits, which nobody finds a second text for. */
  words: string[];
}

export async function fingerprintOf(text: string): Promise<Fingerprint> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    hex: digits.match(/.{4}/g) ?? [],
    words: Array.from(bytes.subarray(0, WORD_BYTES), (byte) => WORDS[byte] ?? ""),
  };
}

const WORD_BYTES = 16;

/**
 * One for each byte. No two begin with the same three letters, or differ in one letter only. They never change: two
 * versions have to say the same.
 */
export const WORDS: readonly string[] = (
  "acid acorn album angel apple arrow atlas attic autumn badge ballet banjo barrel basil beach berry bishop " +
  "bonus border bottle bowl bread brick broom bubble bucket cabin cactus camel candle carbon castle cedar " +
  "cello chalk cheese circus clock coast cobalt coffee comet copper coral cotton cube cycle daisy dance " +
  "decade deer delta desert dial diesel dinner dock donkey dragon drum eagle earth echo elbow elder engine " +
  "falcon farmer fence fiddle field finger flute forest fossil frame fruit funnel galaxy garden ghost giant " +
  "globe golden grape guitar gulf hammer harbor hazel helmet herb hill hinge horse hotel human hunter igloo " +
  "insect iron island ivory jacket jaguar jelly jewel juice jungle kayak kernel kettle kite koala ladder " +
  "lake lava leaf lemon letter lilac linen locket lotus lumber lunar magnet mango marble meadow melon metal " +
  "mirror mitten model moss mouse museum napkin nature needle nest noodle north nurse nutmeg oasis ocean " +
  "office olive onion opera orange orbit organ otter oven oxygen paddle palace panda paper parrot pasta " +
  "pearl pebble pencil pepper piano pickle pigeon pillow pirate planet poem polar poppy potato prism pump " +
  "puppet purple quail queen quilt rabbit radar raft ranch raven ribbon ring river robot ruby salmon satin " +
  "scarf school shadow shell silver siren sister skate slope smoke snail soap soda spice spoon square " +
  "stable stone studio sugar summer sunset swan syrup target teapot tempo tennis timber tomato torch tower " +
  "tulip turtle twin uncle urban valley velvet vessel violin voyage waffle wagon walnut water whale wheat " +
  "window wolf wonder wool yacht yard yellow yogurt zebra zinc zone"
).split(" ");
