// What a terminal really does with text, checked with an emulator.

import { describe, expect, it } from "vitest";
import { wrapped } from "../../../src/cli/writes/preview-view.ts";
import { chop, exact } from "../../../src/core/text/exact.ts";
import { clip, columnsAtMost, pad, visible, width } from "../../../src/core/text/visible.ts";
import fc from "../../support/fc.ts";
import { createScreen } from "../../support/screen.ts";

const COLUMNS = 60;
const SYLLABLE = "\u1112\u1161\u11ab";
// A letter of every kind that terminals treat differently.
const anyLetter = fc.constantFrom(
  ...[
    "a",
    "é",
    "e\u0301",
    "漢",
    "가",
    SYLLABLE,
    "ｆ",
    "ｶ",
    "、",
    "㎏",
    "〈",
    "\u2329",
    "䷀",
    "\ua960",
    "\u{17000}",
  ],
  ...["👍", "👍🏽", "⚠️", "⌚", "🇪🇬", "❤", "☎", "中文", "العَرَبِيَّة", "שָׁלוֹם", "कि", "ไม้", "ரெ", "བཀྲ", "က္က"],
  ...[
    "\u1161",
    "\u11ab",
    "\u{13441}",
    "\u{1d159}",
    "\u0301",
    "\u093e",
    "\u{1f200}",
    "\u{1b170}",
    "\u200d",
    "…",
  ],
);
const anyText = fc
  .array(
    fc.oneof(
      anyLetter,
      fc.string({ unit: "grapheme", maxLength: 4 }),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
  )
  .map((parts) => parts.join(""));

/** How many columns it takes on the emulator. */
async function drawn(text: string): Promise<number> {
  const screen = createScreen(1000, 3);
  await screen.write(text);
  const { line, column } = screen.cursor();
  return line * 1000 + column;
}

describe("visible text", () => {
  it.each([
    ...[
      ["漢", 2],
      ["ｆ", 2],
      ["ｶ", 1],
      ["가", 2],
      [SYLLABLE, 2],
      ["\u2329", 2],
      ["䷀", 2],
      ["👍", 2],
      ["⌚", 2],
    ],
    ...[
      ["e\u0301", 1],
      ["я", 1],
      ["Ω", 1],
      ["│", 1],
      ["\u{17000}", 2],
      ["\u{1f200}", 2],
      ["\ua960", 2],
    ],
  ] as [string, number][])("%s takes %i columns", (text, columns) => {
    expect(visible(text)).toBe(text);
    expect(width(text)).toBe(columns);
  });

  it.each([
    "\u1161",
    "\u11ab",
    "a\u1161",
    "\u1112\u11ab",
    "\u1112\u1161\u1161",
    "\u{13441}",
    "\u{1d159}",
    "가\u11ab",
  ])("contains no invisible letter: %j", (text) => {
    for (const shown of [visible(text), exact(text)]) expect(shown).toMatch(/\\u\{[0-9a-f]{4,}\}$/);
  });

  it("never takes more columns than counted", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const shown = visible(text);
        const columns = await drawn(shown);
        expect(columns).toBeLessThanOrEqual(width(shown));
        expect(width(shown)).toBeLessThanOrEqual(columnsAtMost(shown));
        expect(await drawn(exact(text))).toBeLessThanOrEqual(columnsAtMost(exact(text)));
      }),
      { numRuns: 150 },
    );
  });

  it("is never broken by the terminal after it was cut, padded or wrapped for it", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, anyText, async (one, other) => {
        const cell = visible(one);
        const row = clip(`${pad(cell, width(cell) + 2)}${visible(other)}`, COLUMNS);
        const lines = [row, ...wrapped(one + other, COLUMNS), ...chop(exact(other + one), COLUMNS)];
        for (const line of lines) {
          const screen = createScreen(COLUMNS, 4);
          await screen.write(line);
          expect(screen.cursor().line).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
