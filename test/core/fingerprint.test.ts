// The same text has the same fingerprint everywhere, and its words sound different.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { fingerprintOf, WORDS } from "../../src/core/fingerprint.ts";

test("a fingerprint is the SHA-256 of the text, and its words encode the first 16 bytes", async () => {
  const digest = createHash("sha256").update("nexusd ‹café›\n").digest();
  const { hex, words } = await fingerprintOf("nexusd ‹café›\n");
  expect(hex).toHaveLength(16);
  expect(hex.join("")).toBe(digest.toString("hex"));
  expect(words).toEqual([...digest.subarray(0, 16)].map((byte) => WORDS[byte]));
});

test("the words never change", async () => {
  expect(createHash("sha256").update(WORDS.join(" ")).digest("hex")).toMatchInlineSnapshot(
    `"5086e2f42ceb2e8a7cbd15d6856249c3c418ab9a0eba2fa214314a7f7b376713"`,
  );
});

test("the 256 words have distinct starts, and no two differ by one letter", () => {
  expect(WORDS).toHaveLength(256);
  expect(new Set(WORDS.map((word) => word.slice(0, 3))).size).toBe(256);
  for (const word of WORDS) expect(word).toMatch(/^[a-z]{4,6}$/);
  const masked = (word: string) => [...word].map((_, at) => `${word.slice(0, at)}_${word.slice(at + 1)}`);
  const all = WORDS.flatMap(masked);
  expect(new Set(all).size).toBe(all.length);
});
