// No secret leaves in the text of a message. The secrets used here are generated when the test runs: none is in the
// repository.

import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { WriteError } from "../../src/contract/writes.ts";
import { createRedactor } from "../../src/core/redaction.ts";
import { textsIn } from "../../src/services/input.ts";
import type { OutgoingText } from "../../src/services/operation.ts";
import { createTextScan } from "../../src/writes/outgoing-text.ts";
import fc from "../support/fc.ts";
import { glued, letters } from "../support/secrets.ts";

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

const pem = ({ privateKey }: { privateKey: KeyObject }) =>
  String(privateKey.export({ type: "pkcs8", format: "pem" })).trim();

const SECRETS: [kind: string, secret: () => string][] = [
  ["GITHUB_TOKEN", () => glued("gh", "p_", letters(36))],
  ["GITLAB_PERSONAL_ACCESS_TOKEN", () => glued("gl", "pat-", letters(20))],
  ["AWSSecretAccessKey", () => `aws_secret_access_key = ${letters(40)}`],
  ["SLACK_TOKEN", () => glued("xo", "xb-", letters(12), "-", letters(12), "-", letters(24))],
  ["STRIPE_SECRET_KEY_LIVE", () => glued("sk", "_live_", letters(24))],
  ["NPM_ACCESS_TOKEN", () => glued("np", "m_", letters(36))],
  ["ANTHROPIC_API_KEY", () => glued("sk", "-ant-api03-", letters(93), "AA")],
  ["OPENAI_TOKEN", () => glued("sk", "-", letters(20), "T3Blbk", "FJ", letters(20))],
  ["HUGGINGFACE_USER_ACCESS_TOKEN", () => glued("h", "f_", letters(34, "abcdefghijkmnopqrstuvwxyzABCDEFG"))],
  ["BasicAuth", () => `https://shop:${letters(16)}@example.org/stock`],
  ["PostgreSQLConnection", () => `postgresql://shop:${letters(16)}@db.example.org:5432/stock`],
  ["PrivateKey", () => pem(generateKeyPairSync("ec", { namedCurve: "P-256" }))],
  ["PrivateKey", () => pem(generateKeyPairSync("ed25519"))],
  ["NEXUS_AGENT_KEY", () => glued("nxs", "_ak_", letters(32))],
  ["SUPABASE_SECRET_KEY", () => glued("sb", "_secret_", letters(24))],
  ["API_KEY", () => glued("s", "k-", letters(31), "7")],
  [
    "JSON_WEB_TOKEN",
    () => `${base64url({ alg: "ES256" })}.${base64url({ sub: randomUUID() })}.${letters(43)}`,
  ],
];

const scan = createTextScan({ credentialsIn: async () => [] });
const inText = (text: string): OutgoingText[] => [{ path: ["text"], text }];
const refusal = async (texts: OutgoingText[], by = scan): Promise<WriteError> => {
  const error = await by(texts).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof WriteError)) throw new Error("it was let through", { cause: error });
  return error;
};

describe("a secret in outgoing text is refused", () => {
  test.each(SECRETS)("with its kind and its position, and is not repeated: %s", async (kind, make) => {
    const secret = make();
    const error = await refusal(inText(`The first line.\nAnd here: ${secret} as promised`));
    expect(error.code).toBe("secret_in_text");
    expect(error.errors).toEqual([
      { path: "text", message: expect.stringMatching(`\\(${kind}\\), at line 2, column \\d+$`) },
    ]);
    expect(error.message).toContain("Nothing was stored or sent");
    expect(`${error.message} ${JSON.stringify(error.errors)}`).not.toContain(secret);
  });

  test("at the column where it starts", async () => {
    const error = await refusal(inText(`token=${glued("gh", "p_", letters(36))}`));
    expect(error.errors?.[0]?.message).toMatch(/line 1, column 7$/);
  });

  test("wherever it is among ordinary words", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SECRETS),
        fc.lorem({ maxCount: 20 }),
        fc.lorem({ maxCount: 20 }),
        async ([, make], before, after) => {
          await refusal(inText(`${before} ${make()} ${after}`));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("in a JSON value at any depth, with its path", async () => {
    const secret = glued("gh", "p_", letters(36));
    const json = { steps: [{ run: "ls" }, { env: { TOKEN: secret } }], n: 3 };
    const error = await refusal(textsIn(json, ["json"]));
    expect(error.errors?.[0]).toMatchObject({ path: "json.steps[1].env.TOKEN" });
    expect(error.errors?.[0]?.message).toMatch(/line 1, column 1$/);
  });

  test("if only the name before it identifies it", async () => {
    const json = { aws_secret_access_key: letters(40) };
    const error = await refusal(textsIn(json, ["json"]));
    expect(error.errors).toEqual([
      { path: "json.aws_secret_access_key", message: expect.stringContaining("(AWSSecretAccessKey)") },
    ]);
  });

  test("as the name of a member, which no path then repeats", async () => {
    const secret = glued("gh", "p_", letters(36));
    const error = await refusal(textsIn({ [secret]: { inner: glued("np", "m_", letters(36)) } }, ["json"]));
    expect(error.errors).toHaveLength(2);
    expect(error.errors?.[0]?.message).toContain("in its name");
    expect(JSON.stringify([error.message, error.errors])).not.toContain(secret);
  });

  test("whatever a comment next to it says", async () => {
    const text = `// secretlint-disable\n${glued("gh", "p_", letters(36))} // secretlint-disable-line`;
    expect((await refusal(inText(text))).errors).toHaveLength(1);
  });

  test("if it is one of nexusd's own, in any shape, as it is and URL-encoded", async () => {
    const redactor = createRedactor();
    const credential = `plain+words/${letters(8)}`;
    redactor.add(credential);
    const known = createTextScan({ credentialsIn: async (text) => redactor.find(text) });
    for (const form of [credential, encodeURIComponent(credential)]) {
      const error = await refusal(inText(`so: ${form}, ${form}`), known);
      expect(error.errors).toHaveLength(2);
      expect(error.errors?.[0]?.message).toBe(
        "looks like a secret (CREDENTIAL_OF_NEXUSD), at line 1, column 5",
      );
    }
    await expect(scan(inText(credential))).resolves.toBeUndefined();
  });

  test("and leaves no trace on the timeline of Node.js, which would keep it for good", async () => {
    await refusal(inText(glued("gh", "p_", letters(36))));
    expect(performance.getEntries()).toEqual([]);
  });

  test("with at most 20 places listed, and all of them counted", async () => {
    const text = Array.from({ length: 100 }, () => glued("gh", "p_", letters(36))).join(" ");
    const error = await refusal(inText(text));
    expect(error.errors).toHaveLength(20);
    expect(error.message).toContain("and 99 more");
  });
});

describe("text without a secret is sent", () => {
  const hex = fc.stringMatching(/^[0-9a-f]{48}$/);
  const ordinary = fc.oneof(
    fc.lorem({ maxCount: 30 }),
    fc.uuid(),
    hex,
    fc.webUrl({ withQueryParameters: true }),
    fc.emailAddress(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.stringMatching(/^[0-9a-f]{64}$/),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      "PEARL-FOCAL-S5SJV",
      "task-12345678901234567890",
      "sk-learn-based-model-version-2",
      "postgres://localhost:5432/shop",
      "Bearer of good news",
      "AKIA is how they begin",
      "export NEXUS_API_KEY=$KEY",
      "-----BEGIN PUBLIC KEY-----",
    ),
  );

  test("words, ids, addresses, digests and times, alone and together", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ordinary, { minLength: 1, maxLength: 8 }), async (words) => {
        await scan(inText(words.join(" ")));
      }),
    );
  });

  test("the same in a JSON value of any form", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.dictionary(fc.lorem(), ordinary), async (value, members) => {
        await scan(textsIn({ value, members }, ["json"]));
      }),
    );
  });

  test("the id of a session that nexusd has joined: a person may share it", async () => {
    const redactor = createRedactor();
    const sessionId = randomBytes(24).toString("hex");
    redactor.add(sessionId, `${sessionId.slice(0, 6)}…`);
    const known = createTextScan({ credentialsIn: async (text) => redactor.find(text) });
    await expect(known(inText(`join ${sessionId}`))).resolves.toBeUndefined();
  });
});

/** The event loop turns this many times meanwhile. */
const turnsOf = async (work: () => Promise<unknown>) => {
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isDone = true;
  return turns;
};

test("other work gets its turn while many decoded short codes are scanned", async () => {
  const code = (at: number) => Buffer.from(`a plain text ${at} here`).toString("base64");
  const scan = createTextScan({ credentialsIn: async () => [] });
  // The rules are loaded with the first text.
  await scan([{ path: ["text"], text: "a plain text" }]);
  const text = Array.from({ length: 300 }, (_, at) => code(at)).join(" ");
  expect(await turnsOf(() => scan([{ path: ["text"], text }]))).toBeGreaterThan(5);
});

test("many long texts at once are scanned one after the other, a piece in each turn of the event loop", async () => {
  const scan = createTextScan({ credentialsIn: async () => [] });
  const texts: OutgoingText[] = [
    { path: ["text"], text: `word ${randomBytes(30).toString("hex")}\n`.repeat(600) },
  ];
  await scan(texts);
  const alone = await turnsOf(() => scan(texts));
  expect(alone).toBeGreaterThan(1);
  const together = await turnsOf(() => Promise.all(Array.from({ length: 10 }, () => scan(texts))));
  expect(together).toBeGreaterThan(5 * alone);
});
