// Secrets that are recognised by their form or by what surrounds them: key containers, URLs with passwords, webhooks,
// and values that are called a secret.

export interface Pattern {
  kind: string;
  /** Texts of which one is in the text, or the pattern is not looked for. Lower case. */
  hints: readonly string[];
  /** Global. The group `secret`, where there is one, is what has to be one. */
  pattern: RegExp;
  /** Also looked for where lines were joined: it cannot come about by chance at the seam. */
  acrossLines?: true;
  isReal?(secret: string): boolean;
  /** A word within NEAR characters before or behind it. */
  near?: string;
}

export const NEAR = 2000;

const UUID = "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}";

/** What stands for a value in documentation and templates. */
const PLACEHOLDER =
  /^(?:[*x.•…_-]+|(?:my|your|the|some|db|user)?[ _-]?(?:password|passwd|pass|pwd|secret|token|key|api[_-]?key)(?:[_-]?here)?|example|change-?me|redacted|todo|none|null|undefined|true|false)$|\$\{|\{\{|<[^>]{0,64}>|^%?\$?[A-Z_]{2,64}%?$|‹/i;

const classesOf = (text: string): number =>
  [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((each) => each.test(text)).length;

/** Chosen by people, or programs: not a word, a number or a placeholder. */
const isPassword = (text: string): boolean =>
  !PLACEHOLDER.test(text) &&
  (classesOf(text) >= 3 || (text.length >= 12 && /\d/.test(text) && classesOf(text) >= 2));

/** Random: not a word, a number or a placeholder. */
export const isRandom = (text: string): boolean => {
  if (PLACEHOLDER.test(text) || !/\d/.test(text) || !/[A-Za-z]/.test(text)) return false;
  const bare = text.replace(/[^A-Za-z0-9]/g, "");
  return bare.length >= 16 && new Set(bare).size >= 8 && /\d\D|\D\d/.test(bare);
};

/** Signed (three parts, two of them JSON) or encrypted (five parts), whatever is glued to it. */
function isWebToken(run: string): boolean {
  const parts = run.split(".");
  return parts.some((head, at) => {
    if (!/eyJ[\w-]{10}/.test(head)) return false;
    const [payload = "", signature = "", cipher = "", tag = ""] = parts.slice(at + 1);
    const isSigned = payload.startsWith("eyJ") && payload.length >= 8 && signature.length >= 10;
    return isSigned || Math.min(signature.length, cipher.length, tag.length) >= 10;
  });
}

const BEGIN_KEY = "-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}";

const KEYS: readonly Pattern[] = [
  {
    kind: "PrivateKey",
    hints: ["private key"],
    // Headers, blanks, marks of quotation and escapes may come before the key itself.
    pattern: new RegExp(`${BEGIN_KEY}(?:(?!-BEGIN|- BEGIN)[\\s\\S]){0,600}?[A-Za-z0-9+/]{32,}`, "g"),
  },
  {
    kind: "PuTTYPrivateKey",
    hints: ["private-lines"],
    pattern: /Private-Lines:\s{0,4}\d{1,3}[^A-Za-z0-9+/]{1,40}[A-Za-z0-9+/]{20,}/g,
  },
  {
    kind: "PrivateJWK",
    hints: ["kty"],
    pattern: /["'\s{,]["']?(?:d|k)["']?\s{0,4}:\s{0,4}["'](?<secret>[\w-]{20,})/g,
    near: "kty",
  },
  {
    kind: "WireGuardPrivateKey",
    hints: ["privatekey", "presharedkey"],
    pattern: /(?:PrivateKey|PresharedKey)\s{0,8}=\s{0,8}[A-Za-z0-9+/]{43}=/gi,
  },
  {
    kind: "JSON_WEB_TOKEN",
    hints: ["eyj"],
    // Whole runs, so that a long one is looked at once.
    pattern: /(?<![\w.-])[\w.-]{30,}/g,
    isReal: isWebToken,
  },
];

const ADDRESSES: readonly Pattern[] = [
  {
    kind: "PasswordInURL",
    hints: ["://"],
    pattern: /[a-z][a-z0-9+.-]{1,30}:\/\/[^\s:/?#@"'<>]{0,128}:(?<secret>[^\s/?#@"'<>]{3,256})@[\w[%-]/gi,
    isReal: (text) => !PLACEHOLDER.test(text),
  },
  {
    kind: "PasswordInConnectionString",
    hints: ["pwd=", "password=", "accountkey=", "sharedaccesskey="],
    pattern:
      /[;?& ](?:password|pwd|AccountKey|SharedAccessKey)\s{0,2}=\s{0,2}["']?(?<secret>[^\s;&"']{6,256})/gi,
    isReal: isPassword,
  },
  {
    kind: "SlackWebhook",
    hints: ["hooks.slack"],
    pattern: /hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)\/[\w/-]{20,}/gi,
  },
  {
    kind: "DiscordWebhook",
    hints: ["/webhooks/"],
    pattern: /discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/\d{15,22}\/[\w-]{50,}/gi,
  },
  {
    kind: "TeamsWebhook",
    hints: ["webhook.office.com", "logic.azure.com", "powerplatform.com"],
    pattern:
      /webhook\.office\.com\/webhookb2\/[\w@/-]{60,}|(?:logic\.azure|powerplatform)\.com[^\s"'<>]{1,300}[?&]sig=[\w%-]{20,}/gi,
  },
  {
    kind: "GoogleChatWebhook",
    hints: ["chat.googleapis.com"],
    pattern: /chat\.googleapis\.com\/v1\/spaces\/[^\s"'<>]{1,200}[?&]token=[\w%-]{20,}/gi,
  },
  {
    kind: "ChatWebhook",
    hints: ["/bot/v2/hook/", "access_token=", "webhook/send?key="],
    pattern: new RegExp(
      `/open-apis/bot/v2/hook/${UUID}|dingtalk\\.com/robot/send\\?access_token=[0-9a-f]{40,}|` +
        `weixin\\.qq\\.com/cgi-bin/webhook/send\\?key=${UUID}`,
      "gi",
    ),
  },
  {
    kind: "AutomationWebhook",
    hints: ["hooks.zapier.com", "make.com/", "maker.ifttt.com", "api.telegram.org"],
    pattern:
      /hooks\.zapier\.com\/hooks\/catch\/\d+\/\w{5,}|hook\.(?:\w{2,4}\.)?make\.com\/\w{24,}|maker\.ifttt\.com\/trigger\/[\w-]{1,64}\/(?:json\/)?with\/key\/[\w-]{16,}/gi,
  },
  {
    kind: "SharedAccessSignature",
    hints: ["sig="],
    pattern: /[?&]sig=(?:[\w+/-]|%2[BF]){40,}(?:=|%3D)/gi,
  },
  {
    kind: "SignedURL",
    hints: ["x-amz-signature=", "x-goog-signature="],
    pattern: /X-(?:Amz|Goog)-Signature=[0-9a-f]{64,}/gi,
  },
  {
    kind: "AtlasToken",
    hints: [".atlasv1."],
    pattern: /[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}/g,
  },
];

/** Words by which a value is called a secret, in names of settings, members and headers. */
const SECRET_NAME =
  "(?:api|access|secret|auth|service|account|private|signing|encryption|master|client|app|bot|refresh|bearer|webhook|session)" +
  "[ _.-]?(?:key|token|secret|password)|secret[ _-]?access[ _-]?key|x-api-key|apikey|authtoken|client_?secret";
const NO_SECRET_NAME = "(?<!next[_-]?)(?<!page[_-]?)(?<!public[_-]?)(?<!idempotency[_-]?)";
/** From the name to the value: quotation marks, escapes, blanks, a sign of assignment. */
const IS = "[\"'`\\\\\\]]{0,3}\\s{0,8}(?:=>|:=|[:=])\\s{0,8}[\"'`\\\\]{0,3}";

const NAMED: readonly Pattern[] = [
  {
    kind: "NamedSecret",
    hints: ["key", "token", "secret"],
    pattern: new RegExp(
      `${NO_SECRET_NAME}(?:${SECRET_NAME})${IS}(?:Bearer |Basic )?(?<secret>[\\w+/=.~-]{16,512})`,
      "gi",
    ),
    isReal: isRandom,
  },
  {
    kind: "NamedSecret",
    hints: ["token", "secret"],
    pattern: new RegExp(`(?<![A-Za-z_-])(?:token|secret)${IS}(?<secret>[\\w+/=.~-]{24,512})`, "gi"),
    // Names so common need more than an id: both cases and digits.
    isReal: (text) => isRandom(text) && /[a-z]/.test(text) && /[A-Z]/.test(text),
  },
  {
    kind: "NamedSecret",
    hints: ["_token", "_secret"],
    // As a variable of the environment: DEPLOY_TOKEN=…
    pattern: new RegExp(
      `(?<=[A-Z0-9]_)(?<!(?:NEXT|PAGE|PUBLIC|IDEMPOTENCY)_)(?:TOKEN|SECRET)${IS}(?<secret>[\\w+/=.~-]{16,512})`,
      "g",
    ),
    isReal: isRandom,
  },
  {
    kind: "Password",
    hints: ["passw", "pwd", "passphrase"],
    pattern: new RegExp(`(?:password|passwd|passphrase|pwd)${IS}(?<secret>[^\\s"'\`,;]{8,256})`, "gi"),
    isReal: isPassword,
  },
  {
    kind: "Password",
    hints: ["login "],
    pattern: /\blogin\s{1,8}\S{1,128}\s{1,8}password\s{1,8}(?<secret>\S{6,256})/g,
    isReal: (text) => !PLACEHOLDER.test(text),
  },
  {
    kind: "Password",
    hints: ["curl"],
    pattern: /curl\b[^\n]{0,400}?\s(?:-u|--user)[ =]?["']?[^\s:"']{1,128}:(?<secret>[^\s"']{6,256})/g,
    isReal: (text) => !PLACEHOLDER.test(text),
  },
  {
    kind: "AuthorizationHeader",
    hints: ["bearer"],
    pattern: /\bBearer\s{1,4}(?<secret>[\w.~+/=-]{20,})/gi,
    isReal: isRandom,
  },
  {
    kind: "AuthorizationHeader",
    hints: ["basic"],
    pattern: /\bBasic\s{1,4}(?<secret>[A-Za-z0-9+/]{8,}={0,2})/g,
    isReal: (text) => /^[\x21-\x7e]+:[\x21-\x7e]{4,}$/.test(Buffer.from(text, "base64").toString("latin1")),
  },
  {
    kind: "RegistryAuthToken",
    hints: ["_authtoken", "_auth", "_password"],
    pattern: /:_(?:authToken|auth|password)\s{0,4}=\s{0,4}["']?(?<secret>[^\s"'$]{8,})/g,
    isReal: (text) => !PLACEHOLDER.test(text),
  },
];

const TOKENS_BY_FORM: readonly Pattern[] = [
  {
    kind: "DISCORD_BOT_TOKEN",
    hints: ["."],
    pattern: /[MNO][A-Za-z\d_-]{23,28}\.[\w-]{6}\.[\w-]{27,40}/g,
    isReal: isRandom,
  },
  { kind: "TELEGRAM_BOT_TOKEN", hints: [":aa"], pattern: /\d{8,10}:AA[\w-]{32,}/g },
  {
    kind: "MAILCHIMP_API_KEY",
    hints: ["-us"],
    pattern: /[0-9a-f]{32}-us\d{1,2}(?!\w)/g,
  },
  {
    kind: "AZURE_CLIENT_SECRET",
    hints: ["q~"],
    pattern: /[\w~.]{3}\dQ~[\w~.-]{31,34}/g,
  },
  {
    kind: "AZURE_KEY",
    hints: ["jqqj99", "azdo", "+astm", "acdb", "azsea"],
    pattern:
      /[A-Za-z0-9]{32,60}(?:JQQJ99|AAAAAAAAAAAAAZDO)[A-Za-z0-9]{4,40}|[A-Za-z0-9+/]{76}(?:\+ASt|\+ACDb|AzSeA)[\w+/=]{4,12}/g,
  },
  {
    kind: "ZHIPU_API_KEY",
    hints: ["."],
    pattern: /(?<![0-9A-Za-z])[0-9a-f]{32}\.[A-Za-z0-9]{16}(?![0-9A-Za-z])/g,
    isReal: isRandom,
  },
];

export const PATTERNS: readonly Pattern[] = [
  ...[...KEYS, ...TOKENS_BY_FORM].map((pattern): Pattern => ({ ...pattern, acrossLines: true })),
  ...ADDRESSES,
  ...NAMED,
];
