import { describe, expect, test } from "vitest";
import { createRedactor, REDACTED, scrubShapes, short } from "../../src/core/redaction.ts";
import fc from "../support/fc.ts";

test("a session id is shown by its first six characters", () => {
  expect(short("0123456789abcdef")).toBe("012345…");
});

describe("text shaped like a secret is removed even if the secret is unknown", () => {
  const session = "0123456789abcdef".repeat(3);
  const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${"x_-9".repeat(8)}`;
  test.each([
    ["session id", `GET ${session}?after=1`, "GET 012345…?after=1"],
    ["session id in a path", `/v1/sessions/${session}/join`, "/v1/sessions/012345…/join"],
    ["session id, percent-encoded around", `x%2F${session}%2Fjoin`, "x%2F012345…%2Fjoin"],
    [
      "session id of another form",
      "at /messaging/sessions/0f8fad5b-d9cb-469f-a165-70867728950e",
      "at /messaging/sessions/0f8fad…",
    ],
    ["session id in a cursor's name", "messaging:0f8fad5b-d9cb-469f-a165-70867728950e", "messaging:0f8fad…"],
    ["JWT", `token ${jwt}.`, `token ${REDACTED}.`],
    ["JWT without its signature", `(${jwt.split(".", 2).join(".")})`, `(${REDACTED})`],
    ["agent key", `key=nxs_ak_${"aZ9".repeat(16)};`, `key=${REDACTED};`],
    ["API key", `"sk-${"a-_9".repeat(6)}"`, `"${REDACTED}"`],
    ["project key", "sb_publishable_abc_DEF", REDACTED],
    ["bearer", "authorization: Bearer abc.def-123", `authorization: Bearer ${REDACTED}`],
    ["pairing code", "join with OCEAN-TIGER-4F7K2 now", `join with ${REDACTED} now`],
  ])("%s", (_name, text, expected) => {
    expect(scrubShapes(text)).toBe(expected);
  });

  test.each([
    "a SHA-256 digest e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "task-aaaaaaaaaaaaaaaaaaaaaaaaaaaa and sk-short",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV at 2026-01-01T00:00:00.000Z",
    "GET /v1/sessions/:id/messages",
  ])("and nothing else: %s", (text) => {
    expect(scrubShapes(text)).toBe(text);
  });
});

describe("a known secret is removed whatever it looks like", () => {
  test("as it is, in a URL and inside JSON", () => {
    const { add, scrub } = createRedactor();
    const secret = 'p"w/with space+';
    add(secret);
    const text = [secret, encodeURIComponent(secret), JSON.stringify({ secret })].join(" ");
    expect(scrub(text)).toBe(`${REDACTED} ${REDACTED} {"secret":"${REDACTED}"}`);
  });

  test("the longest if one is a prefix of another, and all of them in one text", () => {
    const { add, scrub } = createRedactor();
    add("secret-one");
    add("secret-one-and-more");
    add("0f8fad5b-d9cb", short("0f8fad5b-d9cb"));
    expect(scrub("secret-one secret-one-and-moresecret-one 0f8fad5b-d9cb")).toBe(
      `${REDACTED} ${REDACTED}${REDACTED} 0f8fad…`,
    );
  });

  test("wherever it occurs", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 4, unit: "grapheme-ascii" }), { minLength: 1, maxLength: 5 }),
        fc.string(),
        fc.string(),
        (secrets, before, after) => {
          const { add, scrub } = createRedactor();
          for (const secret of secrets) add(secret);
          for (const secret of secrets) {
            fc.pre(!REDACTED.includes(secret));
            expect(scrub(before + secret + after).replaceAll(REDACTED, "\n")).not.toContain(secret);
          }
        },
      ),
    );
  });

  test("in one pass, which never touches its own replacements, even when repeated", () => {
    const { add, scrub } = createRedactor();
    for (const secret of ["a", "e", "redacted"]) add(secret);
    add("b", short("b"));
    const once = scrub("a bee, redacted");
    expect(once).toBe(`${REDACTED} b…${REDACTED}${REDACTED}, ${REDACTED}`);
    expect(scrub(once)).toBe(once);
  });

  test("at a cost independent of the number of secrets", () => {
    const timeOf = (secrets: number) => {
      const { add, scrub } = createRedactor();
      for (let i = 0; i < secrets; i++) add(`${(i * 7919).toString(36).padStart(12, "k")}-session-key`);
      const line = "GET /v1/sessions/:id/messages answered 200 after 31 ms ".repeat(10);
      scrub(line);
      const start = performance.now();
      for (let i = 0; i < 300; i++) scrub(line);
      return performance.now() - start;
    };
    timeOf(10);
    const few = Math.min(timeOf(10), timeOf(10), timeOf(10));
    const many = Math.min(timeOf(20_000), timeOf(20_000), timeOf(20_000));
    expect(many).toBeLessThan(few * 20);
  });

  test.each(["a", "%41", "%a", "sk-mad", "abcdefghijklmnop ", "f0", '"'])(
    "at a cost linear in the length of the text: %j again and again",
    (piece) => {
      const { add, hide, scrub } = createRedactor();
      add("sk-made-up-0123456789abcdefghijklmnop");
      const timeOf = (length: number) => {
        const text = piece.repeat(length / piece.length);
        const start = performance.now();
        hide({ text });
        scrub(text);
        return performance.now() - start;
      };
      timeOf(10_000);
      const short = Math.min(timeOf(10_000), timeOf(10_000), timeOf(10_000));
      // Quadratic work takes 1,600 times as long.
      expect(Math.min(timeOf(400_000), timeOf(400_000))).toBeLessThan(short * 400);
    },
  );
});
