// One made-up secret of each format that an agent may get hold of, stored in pieces and randomly generated when a test
// runs.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { glued, letters } from "./secrets.ts";

const HEX = "0123456789abcdef";
const hex = (length: number) => letters(length, HEX);
/** Letters of both cases and digits, at least one of each. */
const mixed = (length: number) => `a7Q${letters(length - 3)}`;
const upper = (length: number) => `A7${letters(length - 2, "ABCDEFGHJKLMNPQRSTUVWXYZ234567")}`;
const lower = (length: number) => `a7${letters(length - 2, "abcdefghjkmnpqrstuvwxyz023456789")}`;
const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ed = () => generateKeyPairSync("ed25519").privateKey;
const armored = (kind: string, lines: string[], dashes = "-----") =>
  [`${dashes}${glued("BEGIN ", kind)}${dashes}`, ...lines, `${dashes}END ${kind}${dashes}`].join("\n");
const wrapped = (text: string, width = 64) => text.match(new RegExp(`.{1,${width}}`, "g")) ?? [];
const base64 = (length: number) => Buffer.from(letters(length)).toString("base64");

/** In one piece, found whatever is right before and after it. */
export const TOKENS: Record<string, () => string> = {
  anthropic: () => glued("sk", "-ant-", "api03-", mixed(93), "AA"),
  "anthropic oauth": () => glued("sk", "-ant-", "oat01-", mixed(90)),
  "openai project": () => glued("sk", "-proj-", mixed(60), "T3Blbk", "FJ", mixed(40)),
  "openai service account": () => glued("sk", "-svcacct-", mixed(80)),
  "openai, old": () => glued("s", "k-", mixed(48)),
  openrouter: () => glued("sk", "-or-", "v1-", hex(64)),
  langfuse: () => glued("sk", "-lf-", randomUUID()),
  google: () => glued("AI", "za", mixed(35)),
  gemini: () => glued("AQ", ".Ab", mixed(48)),
  xai: () => glued("xa", "i-", mixed(80)),
  groq: () => glued("gs", "k_", mixed(52)),
  perplexity: () => glued("pp", "lx-", mixed(48)),
  "hugging face": () => glued("h", "f_", mixed(34)),
  replicate: () => glued("r", "8_", mixed(37)),
  together: () => glued("tgp", "_v1_", mixed(43)),
  nvidia: () => glued("nv", "api-", mixed(64)),
  langsmith: () => glued("lsv2", "_pt_", hex(32), "_", hex(10)),
  pinecone: () => glued("pc", "sk_", mixed(60)),
  databricks: () => glued("da", "pi", hex(32)),
  "aws id": () => glued("AK", "IA", upper(16)),
  "aws temporary id": () => glued("AS", "IA", upper(16)),
  "google oauth": () => glued("GOC", "SPX-", mixed(28)),
  "google token": () => glued("ya", "29.", mixed(60)),
  alibaba: () => glued("LT", "AI", "5t", mixed(20)),
  digitalocean: () => glued("dop", "_v1_", hex(64)),
  cloudflare: () => glued("cf", "ut_", mixed(40), hex(8)),
  netlify: () => glued("nf", "p_", mixed(36)),
  doppler: () => glued("dp", ".st.", mixed(43)),
  vault: () => glued("hv", "s.", mixed(95)),
  terraform: () => glued(mixed(14), ".atlas", "v1.", mixed(64)),
  pulumi: () => glued("pu", "l-", hex(40)),
  tailscale: () => glued("ts", "key-auth-", mixed(14), "-", mixed(32)),
  supabase: () => glued("sb", "_secret_", mixed(31)),
  "supabase personal": () => glued("sb", "p_", hex(40)),
  planetscale: () => glued("pscale", "_pw_", mixed(43)),
  "vercel blob": () => glued("vercel", "_blob_rw_", mixed(16), "_", mixed(30)),
  posthog: () => glued("ph", "x_", mixed(43)),
  neon: () => glued("na", "pi_", lower(64)),
  grafana: () => glued("gl", "sa_", mixed(32), "_", hex(8)),
  "new relic": () => glued("NR", "AK-", upper(27)),
  sentry: () => glued("sn", "tryu_", hex(64)),
  "slack bot": () => glued("xo", "xb-", "123456789012", "-", "123456789012", "-", mixed(24)),
  "slack app": () => glued("xa", "pp-1-", upper(11), "-", "1234567890123", "-", hex(64)),
  discord: () => glued("M", mixed(25), ".", mixed(6), ".", mixed(38)),
  telegram: () => glued("123456", "7890", ":", "AA", mixed(33)),
  "meta (whatsapp)": () => glued("EA", "A", mixed(150)),
  sendgrid: () => glued("S", "G.", mixed(22), ".", mixed(43)),
  brevo: () => glued("xkey", "sib-", hex(64), "-", mixed(16)),
  notion: () => glued("nt", "n_", "12345678901", mixed(35)),
  linear: () => glued("lin", "_api_", mixed(40)),
  figma: () => glued("fi", "gd_", mixed(40)),
  atlassian: () => glued("ATA", "TT3x", "Ff", mixed(180)),
  postman: () => glued("PM", "AK-", hex(24), "-", hex(34)),
  "github classic": () => glued("gh", "p_", mixed(36)),
  "github app": () => glued("gh", "s_", mixed(36)),
  "github fine-grained": () => glued("github", "_pat_", mixed(22), "_", mixed(59)),
  gitlab: () => glued("gl", "pat-", mixed(20)),
  "gitlab, routable": () => glued("gl", "pat-", mixed(27), ".01.", lower(9)),
  "gitlab runner": () => glued("gl", "rt-", mixed(20)),
  npm: () => glued("np", "m_", mixed(36)),
  pypi: () => glued("py", "pi-", "AgEI", "cHlwaS5vcmc", mixed(120)),
  rubygems: () => glued("ruby", "gems_", hex(48)),
  docker: () => glued("dckr", "_pat_", mixed(27)),
  stripe: () => glued("sk", "_live_", mixed(24)),
  "stripe test": () => glued("sk", "_test_", mixed(24)),
  "stripe restricted": () => glued("rk", "_live_", mixed(24)),
  "stripe webhook": () => glued("wh", "sec_", mixed(32)),
  square: () => glued("sq0", "csp-", mixed(43)),
  paddle: () => glued("pdl", "_live_", "apikey_", lower(26), "_", mixed(22)),
  plaid: () => glued("access", "-production-", randomUUID()),
  shopify: () => glued("sh", "pat_", hex(32)),
  razorpay: () => glued("rzp", "_live_", mixed(14)),
  jwt: () => `${base64url({ alg: "ES256" })}.${base64url({ sub: randomUUID() })}.${mixed(43)}`,
  nexus: () => glued("nxs", "_ak_", mixed(32)),
  age: () => glued("AGE-", "SECRET-", "KEY-1", upper(58)),
  nostr: () => glued("ns", "ec1", letters(58, "023456789acdefghjklmnpqrstuvwxyz")),
  azure: () => glued(mixed(3), "8", "Q~", mixed(34)),
};

/** Recognised by the text around them. */
export const IN_CONTEXT: Record<string, () => string> = {
  "an address with a password": () => `https://shop:${mixed(16)}@example.org/stock`,
  "a database": () => `postgresql://shop:${mixed(16)}@db.example.org:5432/stock`,
  "a database of any kind": () => `clickhouse+native://shop:${mixed(16)}@10.0.0.5/stock`,
  "a cache without a user": () => `rediss://:${mixed(24)}@cache.example.org:6380/0`,
  "a connection string": () => `Server=tcp:db,1433;User ID=shop;Password=${mixed(16)};Encrypt=true`,
  "a variable of the environment": () => `DEPLOY_TOKEN=${randomUUID()}`,
  "an account of storage": () => `EndpointSuffix=core;AccountKey=${base64(64)}`,
  "a webhook of Slack": () =>
    glued("https://hooks.", "slack.com/services/", upper(9), "/", upper(9), "/", mixed(24)),
  "a webhook of Discord": () =>
    glued("https://discord.com/api/", "webhooks/", "123456789012345678", "/", mixed(68)),
  "a webhook of Teams": () =>
    glued(
      "https://shop.webhook.office.com/",
      "webhookb2/",
      randomUUID(),
      "@",
      randomUUID(),
      "/IncomingWebhook/",
      hex(32),
    ),
  "a webhook of Feishu": () => glued("https://open.feishu.cn/open-apis", "/bot/v2/hook/", randomUUID()),
  "a webhook of DingTalk": () => glued("https://oapi.dingtalk.com/robot/send?access", "_token=", hex(64)),
  "a webhook of WeCom": () =>
    glued("https://qyapi.weixin.qq.com/cgi-bin/webhook", "/send?key=", randomUUID()),
  "a signed address": () => `https://store.example.net/a?se=2026&sig=${mixed(42)}%3D`,
  "a setting": () => `AWS_SECRET_ACCESS_KEY=${mixed(40)}`,
  "a setting in YAML": () => `  clientSecret: "${mixed(40)}"`,
  "a header": () => `x-api-key: ${hex(32)}`,
  "a bearer": () => `Authorization: Bearer ${mixed(40)}`,
  "basic authentication": () => `Authorization: Basic ${Buffer.from(`shop:${mixed(12)}`).toString("base64")}`,
  "a password": () => `password: ${mixed(12)}!`,
  "a login": () => `machine api.example.org login shop password ${mixed(14)}`,
  "a command": () => `curl -s -u shop:${mixed(14)} https://api.example.org/`,
  "a registry": () => `//registry.example.org/:_authToken=${mixed(36)}`,
  wireguard: () => `PrivateKey = ${Buffer.from(letters(32)).toString("base64")}`,
  jwk: () => JSON.stringify(ec().export({ format: "jwk" })),
  "jwk, symmetric": () => JSON.stringify({ kty: "oct", alg: "HS256", k: mixed(43) }),
  pkcs8: () => String(ec().export({ type: "pkcs8", format: "pem" })),
  "pkcs8, ed25519": () => String(ed().export({ type: "pkcs8", format: "pem" })),
  "pkcs8, encrypted": () =>
    String(ec().export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "of nobody" })),
  pkcs1: () => String(rsa.export({ type: "pkcs1", format: "pem" })),
  "pkcs8 without its lines": () => rsa.export({ type: "pkcs8", format: "der" }).toString("base64"),
  "ed25519 without its lines": () => ed().export({ type: "pkcs8", format: "der" }).toString("base64"),
  sec1: () => String(ec().export({ type: "sec1", format: "pem" })),
  openssh: () =>
    armored("OPENSSH PRIVATE KEY", wrapped(`${glued("b3BlbnNzaC1r", "ZXktdjE")}AAAAA${base64(160)}`)),
  pgp: () =>
    armored("PGP PRIVATE KEY BLOCK", [
      "Version: 2.1",
      "Comment: of nobody",
      "",
      ...wrapped(base64(300)),
      "=AbCd",
    ]),
  ssh2: () =>
    armored(
      "SSH2 ENCRYPTED PRIVATE KEY",
      ['Comment: "of nobody"', ...wrapped(base64(120))],
      "---- ",
    ).replaceAll("---- B", "---- B"),
  putty: () =>
    [
      glued("PuTTY-User", "-Key-File-3: ssh-ed25519"),
      "Encryption: none",
      "Public-Lines: 1",
      base64(40),
      "Private-Lines: 1",
      base64(36),
      `Private-MAC: ${hex(64)}`,
    ].join("\n"),
};
