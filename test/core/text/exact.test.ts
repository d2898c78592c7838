import { describe, expect, it, test } from "vitest";
import { stringifyJson } from "../../../src/core/exact-json.ts";
import { chop, exact, exactJson, layOutJson, quoted } from "../../../src/core/text/exact.ts";
import { width } from "../../../src/core/text/visible.ts";
import fc from "../../support/fc.ts";

const INVISIBLE = [
  ..."\u0000\u0007\u001b\u007f\u0085\u009b",
  ..."\u00a0\u1680\u2000\u2003\u2007\u2009\u200a\u202f\u205f\u3000",
  ..."\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200d\u200e\u200f",
  ..."\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2060\u2061\u2066\u2067\u2068\u2069\u206f",
  ..."\u2800\u3164\ufe00\ufe0f\ufeff\uffa0\ufff9\uffff\ue000",
  "\u{1d173}",
  "\u{e0001}",
  "\u{e0041}",
  "\u{e0101}",
  "\u{f0000}",
];
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        ...INVISIBLE,
        "\\",
        "\\u{202e}",
        "\\n",
        "\n",
        '"',
        "e\u0301",
        "\u0301",
        "漢",
        "👍",
        "שלום",
      ),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(""));

/** Reads back what `exact` and `quoted` write. */
const read = (shown: string): string =>
  shown.replace(/\\(?:u\{([0-9a-f]+)\}|(.))/g, (_, hex: string | undefined, char: string) =>
    hex === undefined
      ? (({ n: "\n", r: "\r", t: "\t" } as Record<string, string>)[char] ?? char)
      : String.fromCodePoint(Number.parseInt(hex, 16)),
  );

describe("text that a person approves", () => {
  test.each(INVISIBLE.map((char) => [char.codePointAt(0)?.toString(16).padStart(4, "0"), char]))(
    "shows U+%s",
    (hex, char) => {
      expect(exact(`a${char}b`)).toBe(`a\\u{${hex}}b`);
      expect(exactJson(`"${char}"`)).toBe(`"\\u{${hex}}"`);
    },
  );

  it("shows nothing that controls a terminal, hides, reorders or looks like a blank", () => {
    fc.assert(
      fc.property(text, (value) => {
        for (const shown of [exact(value), quoted(value), exactJson(value)])
          expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u);
      }),
      { numRuns: 1000 },
    );
  });

  it("differs for any two texts", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(read(exact(value))).toBe(value);
        expect(read(quoted(value).slice(1, -1))).toBe(value);
      }),
      { numRuns: 1000 },
    );
    expect(exact("\\u{202e}")).not.toBe(exact("\u202e"));
    expect(exact("\\n")).not.toBe(exact("\n"));
    expect(quoted('a" reason "b')).toBe('"a\\" reason \\"b"');
  });

  it("keeps the words of every script unchanged", () => {
    for (const words of [
      "Grüße",
      "e\u0301te\u0301",
      "東京",
      "Ελλάδα",
      "שלום",
      "Tiếng Việt".normalize("NFD"),
      "👍",
    ])
      expect(exact(words)).toBe(words);
  });

  it("does not let a mark alter a symbol or pile up over other lines", () => {
    expect(exact('"\u0338')).toBe('"\\u{0338}');
    expect(exact("1\u20e3")).toBe("1\\u{20e3}");
    expect(exact(`e${"\u0301".repeat(4)}`)).toBe("e\u0301\u0301\\u{0301}\\u{0301}");
    expect(exact("\u115f\u0301")).toBe("\\u{115f}\\u{0301}");
  });
});

describe("JSON laid out for reading", () => {
  const json = fc.oneof(
    fc.json().map((value) => stringifyJson(JSON.parse(value))),
    fc.dictionary(text, fc.array(text)).map((value) => stringifyJson(value)),
  );

  it("is the same text except for the whitespace added between its parts", () => {
    fc.assert(
      fc.property(json, (value) => {
        const lines = layOutJson(value)?.lines;
        if (!lines) throw new Error("must be laid out");
        // Taken off again: the indent of each line, and the one blank after a colon outside of strings.
        const joined = lines.map((line) => line.replace(/^ */, "")).join("");
        expect(joined.replace(/("(?:[^"\\]|\\.)*")(?:(:) )?/gs, "$1$2")).toBe(value);
        expect(JSON.stringify(JSON.parse(lines.join("\n")))).toBe(JSON.stringify(JSON.parse(value)));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps every digit and every member, even duplicates", () => {
    const body = '{"id":12345678901234567890123,"a":1.10,"a":1e3,"deep":[[],{}]}';
    expect(layOutJson(body)?.lines).toEqual([
      "{",
      '  "id": 12345678901234567890123,',
      '  "a": 1.10,',
      '  "a": 1e3,',
      '  "deep": [',
      "    [],",
      "    {}",
      "  ]",
      "}",
    ]);
  });

  test.each(['{"a": 1}', '{"a":1}\n', "\ufeff{}", '"open', " 1"])(
    "leaves %j as it is, because it has whitespace of its own",
    (body) => {
      expect(layOutJson(body)).toBeUndefined();
    },
  );
});

it("the pieces of a line make up the line, and none is wider than the terminal", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 30 }), (value, columns) => {
      const line = exact(value);
      const pieces = chop(line, columns);
      expect(pieces.join("")).toBe(line);
      for (const piece of pieces) expect(width(piece)).toBeLessThanOrEqual(columns);
      for (const piece of pieces.slice(1)) expect(piece).not.toMatch(/^\p{M}/u);
    }),
  );
});
