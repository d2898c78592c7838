import { describe, expect, it } from "vitest";
import { clip, pad, visible, visibleJson, width } from "../../../src/core/text/visible.ts";
import fc from "../../support/fc.ts";

const HOSTILE = [
  "\u0000",
  "\u0007",
  "\u0008",
  "\n",
  "\r",
  "\t",
  "\u001b[31m",
  "\u001b]0;title\u0007",
  "\u007f",
  "\u009b31m",
  "\u00ad",
  "\u034f",
  "\u061c",
  "\u115f",
  "\u180e",
  "\u200b",
  "\u200d",
  "\u200e",
  "\u202e",
  "\u2028",
  "\u2029",
  "\u2060",
  "\u2066",
  "\u2069",
  "\u2800",
  "\u3164",
  "\ufe0f",
  "\ufeff",
  "\uffa0",
  "\ud800",
  "\udfff",
  "\u{e0041}",
  "\u{e0101}",
  "\ue000",
];
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...HOSTILE),
      fc.constantFrom("a", "é", "漢", "👍", "⚠️", "\u{1fc00}\ufe0f"),
    ),
  )
  .map((parts) => parts.join(""));

describe("text from outside", () => {
  it("contains nothing that a terminal obeys, hides or reorders", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = visible(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Cn}\p{Co}]/u);
        expect(shown).not.toMatch(/\p{Cf}/u);
        expect(shown.replace(/\p{Extended_Pictographic}\uFE0F/gu, "")).not.toMatch(
          /\p{Default_Ignorable_Code_Point}/u,
        );
      }),
      { numRuns: 500 },
    );
  });

  it("shows each hostile character as an escape", () => {
    for (const char of HOSTILE)
      expect(visible(`a${char}b`)).toMatch(/^a\\(n|r|t|x[0-9a-f]{2}|u\{[0-9a-f]+\}).*b$/);
    expect(visible("\u001b[2J\u202eevil\u200b\n")).toBe("\\x1b[2J\\u{202e}evil\\u{200b}\\n");
  });

  it("is unchanged if harmless, in every script", () => {
    for (const text of ["plain", "Grüße, 東京, Ελλάδα, שלום, नमस्ते", "⚠️ ok 👍🏽", 'back\\slash "quotes"'])
      expect(visible(text)).toBe(text);
  });

  it("is escaped after a code point reserved for a future pictograph too, which is not shown itself", () => {
    expect(visible("\u{1fc00}\ufe0f")).toBe("\\u{1fc00}\\u{fe0f}");
  });

  it("is escaped once: visible text stays unchanged", () => {
    fc.assert(fc.property(anyText, (text) => visible(visible(text)) === visible(text)));
  });
});

describe("JSON on a terminal", () => {
  it("is the same value, with nothing that controls a terminal", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.json().map(JSON.parse)), (value) => {
        for (const json of [JSON.stringify({ value }), JSON.stringify({ value }, undefined, 2)]) {
          const shown = visibleJson(json);
          expect(JSON.parse(shown)).toStrictEqual(JSON.parse(json));
          expect(shown).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u);
        }
      }),
    );
  });
});

describe("columns", () => {
  it("counts what a terminal draws: wide characters twice, marks as zero", () => {
    expect(width("abc")).toBe(3);
    expect(width("漢字")).toBe(4);
    expect(width("👍")).toBe(2);
    expect(width("e\u0301")).toBe(1);
  });

  it("cuts a long text with an ellipsis within the width", () => {
    expect(clip("abcdef", 6)).toBe("abcdef");
    expect(clip("abcdefg", 6)).toBe("abcde…");
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 40 }), (text, columns) => {
        expect(width(clip(visible(text), columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it("pads to the width", () => {
    expect(pad("漢", 4)).toBe("漢  ");
    expect(pad("longer", 3)).toBe("longer");
  });
});
