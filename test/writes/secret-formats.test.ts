// The guard of outgoing text against the secrets that agents come across today, whatever surrounds them; and ordinary
// text passes.

import { describe, expect, test } from "vitest";
import { WriteError } from "../../src/contract/writes.ts";
import { textsIn } from "../../src/services/input.ts";
import { createTextScan } from "../../src/writes/outgoing-text.ts";
import fc from "../support/fc.ts";
import { IN_CONTEXT, TOKENS } from "../support/secret-formats.ts";
import { glued } from "../support/secrets.ts";

const scan = createTextScan({ credentialsIn: async () => [] });
const isRefused = async (json: unknown): Promise<boolean> => {
  try {
    await scan(textsIn(json, ["json"]));
    return false;
  } catch (error) {
    if (error instanceof WriteError && error.code === "secret_in_text") return true;
    throw error;
  }
};

const NEIGHBOURS = [
  ..."\"'`´“”„«»「」()[]{}<>*_~|=:;,.!?/\\@#-".split(""),
  ...["key", "Schlüssel", "ключ", "مفتاح", "מפתח", "密钥", "かぎ", "กุญแจ", "ß", "É", "5"],
  ...["\n", "\r\n\t", "    ", "\u00a0", "\u3000", "\u200b", "\u2060", "\ufeff", "😀", "\u0301"],
];

/** As it may be embedded in other text; none of them can end a secret. */
const WRAPPINGS: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "in a list, indented and quoted": (text) => text.replace(/^/gm, "  > "),
  "as a string of JSON": (text) => JSON.stringify({ value: text }),
  "as JSON in a string of JSON": (text) => JSON.stringify(JSON.stringify({ value: text })),
  "in escapes of JSON": (text) =>
    [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  "in an address": (text) => `https://example.org/?q=${encodeURIComponent(text)}`,
  "in an address, every byte": (text) =>
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  "in references of HTML": (text) => [...text].map((each) => `&#${each.codePointAt(0)};`).join(""),
  "in base64": (text) => `data:text/plain;base64,${Buffer.from(text).toString("base64")}`,
  "in base64, for addresses": (text) => Buffer.from(`so: ${text}`).toString("base64url"),
  "in base64, twice, in lines": (text) =>
    Buffer.from(Buffer.from(text).toString("base64")).toString("base64").replace(/.{76}/g, "$&\r\n"),
  "in base64 of two bytes for each letter": (text) => Buffer.from(text, "utf16le").toString("base64"),
  "in hexadecimal digits": (text) => Buffer.from(text).toString("hex"),
};

/** Surroundings that only a one-piece secret survives. */
const BREAKS: Record<string, (text: string) => string> = {
  "with what nobody sees between its letters": (text) => [...text].join("\u200b"),
  "with a soft hyphen": (text) => text.replace(/.{9}/, "$&\u00ad"),
  "in full-width letters": (text) =>
    text.replace(/[!-~]/g, (each) => String.fromCharCode(each.charCodeAt(0) + 0xfee0)),
  "over two lines": (text) => text.replace(/.{12}/, "$&\n"),
  "over two quoted lines": (text) => text.replace(/.{12}/, "$&\r\n> > "),
  "over two continued lines of a shell": (text) => text.replace(/.{12}/, "$&\\\n"),
  "over two strings of a program": (text) => `"${text.replace(/.{12}/, '$&" +\n    "')}"`,
};

describe("a secret is refused", () => {
  test.each(Object.entries({ ...TOKENS, ...IN_CONTEXT }))("%s", async (_name, make) => {
    expect(await isRefused(`Here it is:\n${make()}\nThat is all.`)).toBe(true);
    expect(await isRefused({ note: ["", { text: make() }] })).toBe(true);
  });

  test.each(Object.entries(TOKENS))("%s, whatever is right before and after it", async (_name, make) => {
    for (const neighbour of NEIGHBOURS) {
      expect(await isRefused(`see ${neighbour}${make()}`), `before: ${neighbour}`).toBe(true);
      expect(await isRefused(`${make()}${neighbour} see`), `behind: ${neighbour}`).toBe(true);
    }
  });

  test.each(Object.entries(WRAPPINGS))("%s", async (_name, wrap) => {
    for (const [name, make] of Object.entries({ ...TOKENS, ...IN_CONTEXT }))
      expect(await isRefused(`see ${wrap(make())} there`), name).toBe(true);
  });

  test.each(Object.entries(BREAKS))("%s", async (_name, cut) => {
    for (const [name, make] of Object.entries(TOKENS))
      expect(await isRefused(`see ${cut(make())} there`), name).toBe(true);
  });

  test("at its exact place in the text, in any notation", async () => {
    const written = [...(TOKENS.npm?.() ?? "")].join("\u200b");
    const error = await scan([{ path: ["text"], text: `one\ntwo: ${written} and more` }]).catch(
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ errors: [{ message: expect.stringMatching(/line 2, column 6$/) }] });
  });
});

test("a long text takes time in proportion to its length, whatever it repeats", async () => {
  const pieces = [
    "sk-",
    "eyJ",
    "jina_",
    "EAA",
    "a.",
    " ",
    '"',
    "\\",
    "\n> ",
    "%25",
    "password = ",
    '"kty":"d":"',
    "curl ",
  ];
  pieces.push(glued("-----BEGIN ", "PRIVATE KEY-----"), "a://b:c", "xoxb-a-");
  for (const piece of pieces) {
    const text = piece.repeat(Math.ceil(64_000 / piece.length));
    const startedAt = performance.now();
    await isRefused(text);
    // Some ms; anything quadratic takes a minute.
    expect(performance.now() - startedAt, piece).toBeLessThan(5000);
  }
});

describe("ordinary text is sent", () => {
  const digits = fc.stringMatching(/^[0-9]{4,20}$/);
  const id = fc.oneof(
    fc.uuid(),
    fc.ulid(),
    fc.stringMatching(/^[0-9a-f]{7}$/),
    fc.stringMatching(/^[0-9a-f]{32}$/),
    fc.stringMatching(/^[0-9a-f]{40}$/),
    fc.stringMatching(/^[0-9a-f]{48}$/),
    fc.stringMatching(/^sha256:[0-9a-f]{64}$/),
    fc.stringMatching(/^sha512-[A-Za-z0-9+/]{86}==$/),
    fc.stringMatching(/^[A-Za-z0-9_-]{21}$/),
    fc.stringMatching(/^[A-Z]{2,4}-[0-9]{4,8}$/),
    fc.stringMatching(/^cus_[A-Za-z0-9]{14}$/),
    fc.stringMatching(/^0x[0-9a-f]{64}$/),
    fc.stringMatching(/^DE[0-9]{20}$/),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.ipV6(),
    fc.emailAddress(),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    digits,
  );
  const LABELS = [
    ..."order,order number,session,session id,task-,risk-,desk_,tracking number,checksum,id:,token ".split(
      ",",
    ),
    ...[
      "Bestellung Nr.",
      "Sitzung",
      "numéro de commande",
      "pedido n.º",
      "заказ №",
      "طلب رقم",
      "הזמנה",
      "订单号",
      "注文番号",
    ],
  ];
  const SENTENCES = [
    "The key to the shelf by the door is with the night shift; ask for the secret recipe.",
    "Your password was changed. If it was not you, reset the password: click the button below.",
    "Please rotate the API key, the access token and the client secret before Friday.",
    "api_key: see the vault; secret = ask Tom; password: ********; token: <your token>",
    "export NEXUS_API_KEY=$KEY; export OPENAI_API_KEY=your-api-key-here; DB=postgres://user:password@localhost/shop",
    "Bearer of good news. Basic training begins on Monday. Authorization: Bearer <token>",
    "sk-learn-based-model-version-2 beats pa-rallel-processing-of-all-the-things-in-one-go-2026",
    "Der Schlüssel liegt unter der Matte, das Passwort: wie immer.",
    "Le mot de passe est chez le concierge ; la clé aussi.",
    "La contraseña está en la caja fuerte, la clave: la de siempre.",
    "كلمة المرور عند المدير والمفتاح في الدرج رقم ٧.",
    "הסיסמה אצל המנהל והמפתח במגירה 7.",
    "密码在经理那里，钥匙在7号抽屉里。订单号NX-1005。",
    "パスワードは店長が知っています。鍵は引き出しの中です。",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "Idempotency-Key: 0a000000-0000-4000-8000-000000000505",
    '{"nextToken":"eyJvZmZzZXQiOjEwMH0","page_token":"CAUQAA4f7Qa7Q1b2c3d4e5f6"}',
    "git show 3f786850e387550fdab836ed7e6dc881de23001b -- src/token.ts",
    "https://shop.example.org/orders?status=open&page=2#items and mailto:ops@example.org",
    "Meeting at 10:30@Room5, ratio 3:1@50%, see user:group@host",
  ];

  test("sentences about keys, in several languages", async () => {
    for (const sentence of SENTENCES) expect(await isRefused(sentence), sentence).toBe(false);
    expect(await isRefused(SENTENCES)).toBe(false);
  });

  test("ids, digests, numbers and addresses, alone, labelled, in lines, and as members", async () => {
    const labelled = fc.tuple(fc.constantFrom("", ...LABELS), id).map(([label, each]) => `${label}${each}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(id, labelled, fc.lorem(), fc.constantFrom(...SENTENCES)), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.constantFrom(" ", "\n", ", ", "\n- "),
        fc.dictionary(fc.constantFrom("id", "orderId", "sessionId", "digest", "note", "cursor", "next"), id),
        async (words, between, members) => {
          const text = words.join(between);
          expect(await isRefused({ text, members }), text).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});
