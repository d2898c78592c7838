import { describe, expect, test } from "vitest";
import { createRedactor, REDACTED } from "../../src/core/redaction.ts";
import { createSecretIndex } from "../../src/core/secret-index.ts";
import fc from "../support/fc.ts";
import { letters } from "../support/secrets.ts";

const SECRET = `key/${letters(36)}+=`;
const hexOf = (text: string) => Buffer.from(text).toString("hex");
const base64Of = (text: string) => Buffer.from(text).toString("base64");
const everyByte = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

describe("a credential is found in any form in which a service repeats it", () => {
  test.each<[string, string]>([
    ["as it is", SECRET],
    ["in a URL", encodeURIComponent(SECRET)],
    ["in a URL, every byte of it", everyByte(SECRET)],
    ["in a URL, one byte of it", `${everyByte(SECRET.slice(0, 1))}${SECRET.slice(1)}`],
    ["in JSON with escaped slashes", SECRET.replaceAll("/", "\\/")],
    ["in base64", base64Of(SECRET)],
    ["in base64 behind one byte", base64Of(`a${SECRET}b`)],
    ["in base64 behind two bytes", base64Of(`ab${SECRET}bc`)],
    ["in base64 for URLs", Buffer.from(`user:${SECRET}`).toString("base64url")],
    ["in base64 in a URL", encodeURIComponent(base64Of(SECRET))],
    ["in base64 right behind a path", `/files/${base64Of(SECRET)}`],
    ["in hexadecimal digits", hexOf(SECRET)],
    ["in capital hexadecimal digits, behind others", `0a1${hexOf(SECRET).toUpperCase()}`],
    ["cut off at its end", SECRET.slice(0, 30)],
    ["cut off at its beginning", SECRET.slice(12)],
    ["in base64 and cut off", base64Of(SECRET).slice(0, 40)],
  ])("%s", (_form, shown) => {
    const { add, hide, isFree } = createRedactor();
    add(SECRET);
    for (const text of [shown, `you sent "${shown}".`, `${"x ".repeat(1000)}${shown}${" y".repeat(1000)}`]) {
      const hidden = hide({ text }).text;
      expect(hidden).toContain(REDACTED);
      for (const part of [shown.slice(0, 16), shown.slice(-16)]) expect(hidden).not.toContain(part);
      expect(isFree(JSON.stringify({ text }))).toBe(false);
    }
  });

  test("in JSON, with any escapes", () => {
    const { add, isFree } = createRedactor();
    add(SECRET);
    add('quo"ted\\secret-of-some-length');
    const escaped = [...SECRET].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
    for (const json of [
      JSON.stringify({ text: SECRET }),
      JSON.stringify({ text: JSON.stringify({ text: JSON.stringify(SECRET) }) }),
      JSON.stringify({ text: 'quo"ted\\secret-of-some-length' }),
      `{"text":"${escaped.join("")}"}`,
      `{"text":"${SECRET.replaceAll("/", "\\/")}"}`,
    ])
      expect(isFree(json), json).toBe(false);
  });

  test("only as a whole, if it is short", () => {
    const { add, hide } = createRedactor();
    add("hunter22");
    expect(hide("hunter2 hunter22 hunter222")).toBe(`hunter2 ${REDACTED} ${REDACTED}2`);
    expect(hide(`see ${base64Of("me:hunter22")}`)).toBe(`see ${REDACTED}`);
  });
});

test("text without one is unchanged, and known to be clean", () => {
  const { add, hide, isFree } = createRedactor();
  add(SECRET);
  const value = { text: 'a "text" of 50 %, \\ and /a/b%20c', list: [1, null, { deep: SECRET.slice(0, 15) }] };
  expect(hide(value)).toBe(value);
  expect(isFree(JSON.stringify(value))).toBe(true);
});

test("all are found, and nothing else, in any surroundings", () => {
  const secret = fc.string({ minLength: 15, maxLength: 60, unit: "grapheme-ascii" });
  fc.assert(
    fc.property(fc.array(secret, { minLength: 1, maxLength: 5 }), fc.string(), fc.string(), (all, a, b) => {
      const index = createSecretIndex();
      for (const each of all) index.add(each);
      for (const each of all) {
        const found = index.find(a + each + b);
        const covered = found.some(({ start, end }) => start <= a.length + each.length - 8 && end > a.length);
        expect(covered).toBe(true);
        // With their places known, each of what was found is a part of a form of one of them.
        for (const { start, end, isEncoded } of found)
          if (!isEncoded) expect((a + each + b).slice(start, end).length).toBeGreaterThanOrEqual(6);
      }
    }),
  );
});

test("a revoked one is no longer found, and the others still are", () => {
  const index = createSecretIndex();
  const all = Array.from({ length: 2000 }, () => letters(40));
  for (const each of all) index.add(each);
  for (const each of all.slice(0, 1000)) index.delete(each);
  const found = all.map((each) => index.find(`${each} `).length);
  expect(found.indexOf(1)).toBe(1000);
  expect(found.lastIndexOf(0)).toBe(999);
});

test.each(["n", "f0", "words ", "%41", "a/b+"])(
  "a text of 16 MB of %j is scanned without a growing stack",
  (piece) => {
    const { add, hide, isFree } = createRedactor();
    add("key/hQwZrBtYkUvLsXgDmPcJfAeIoRhQzWbTyKuV+=");
    const text = piece.repeat(16e6 / piece.length);
    const json = JSON.stringify({ text });
    JSON.parse(json);
    const start = performance.now();
    expect(isFree(json)).toBe(true);
    expect(hide({ text }).text).toBe(text);
    expect(performance.now() - start).toBeLessThan(5000);
  },
);

test("a text made of fragments of credentials takes no longer with more credentials", () => {
  const index = createSecretIndex();
  const all = Array.from({ length: 3000 }, () => letters(40));
  for (const each of all) index.add(each);
  const [one = ""] = all;
  for (const piece of [one, one.slice(0, 15), `${one.slice(0, 18)} `]) {
    const text = piece.repeat(2e6 / piece.length);
    index.find("");
    const start = performance.now();
    const found = index.find(text);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(found.length).toBeGreaterThan(0);
  }
});
