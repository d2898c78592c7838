import { expect, test } from "vitest";
import { canonicalJson, canonicalRecord, digestOf } from "../../src/core/canonical-json.ts";
import { parseJson, stringifyJson } from "../../src/core/exact-json.ts";
import fc from "../support/fc.ts";

test("the example of RFC 8785, section 3.2.2, matches to the byte", () => {
  const value = JSON.parse(
    String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`,
  );
  expect(canonicalJson(value)).toBe(
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
});

test("members are sorted by UTF-16 code units at every level, as in RFC 8785, section 3.2.3", () => {
  const value = JSON.parse(
    String.raw`{"\u20ac": 5, "\r": 1, "\ufb33": 7, "1": 2, "\ud83d\ude00": 6, "\u0080": 3, "\u00f6": 4}`,
  );
  const sorted = '{"\\r":1,"1":2,"\u0080":3,"\u00f6":4,"\u20ac":5,"\u{1f600}":6,"\ufb33":7}';
  expect(canonicalJson(value)).toBe(sorted);
  expect(canonicalJson({ b: [value], a: { value } })).toBe(`{"a":{"value":${sorted}},"b":[${sorted}]}`);
});

test.each([
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
])("the double %s of RFC 8785, appendix B, is written %s", (bits, text) => {
  expect(canonicalJson(Buffer.from(bits, "hex").readDoubleBE())).toBe(text);
});

test("an integer beyond 2^53 keeps its digits, and a smaller one is the same as number and as bigint", () => {
  expect(canonicalJson({ id: 48066188026052611n })).toBe('{"id":48066188026052611}');
  fc.assert(
    fc.property(fc.maxSafeInteger(), (n) => {
      expect(canonicalJson(BigInt(n))).toBe(canonicalJson(n));
    }),
  );
});

const jsonValue = fc.jsonValue({ stringUnit: "binary" });

test("the order of members never matters, and any other difference does", () => {
  const reverse = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(reverse);
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, reverse(member)]),
    );
  };
  fc.assert(
    fc.property(jsonValue, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(reverse(value))).toBe(text);
      // Any two different values that can be read back have different forms.
      expect(parseJson(text)).toEqual(parseJson(stringifyJson(value)));
    }),
  );
});

test("canonicalizing a canonical form changes nothing", () => {
  const withBigints = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt(),
      fc.string({ unit: "binary" }),
      fc.constantFrom(null, true, false),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(withBigints, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(parseJson(text))).toBe(text);
    }),
  );
});

test("an undefined member is left out, one called __proto__ is not", () => {
  expect(canonicalJson({ a: undefined, b: null })).toBe('{"b":null}');
  expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"a":2}}'))).toBe('{"__proto__":{"a":2},"b":1}');
});

const circular: unknown[] = [];
circular.push(circular);

test.each<[string, unknown]>([
  ["NaN", Number.NaN],
  ["infinity", Number.NEGATIVE_INFINITY],
  ["undefined", undefined],
  ["undefined in an array", [undefined]],
  ["a hole in an array", new Array(1)],
  ["a function", { f: () => 1 }],
  ["a date", new Date(0)],
  ["a map", new Map()],
  ["a lone high surrogate", "a\ud83d"],
  ["a lone low surrogate", ["\ude00a"]],
  ["a lone surrogate in a name", { "\ud83d": 1 }],
  ["a circular value", circular],
  ["a nesting that no stack holds", JSON.parse("[".repeat(200_000) + "]".repeat(200_000))],
])("%s has no canonical form", (_name, value) => {
  expect(() => canonicalJson(value)).toThrow(TypeError);
});

test("a record of foreign text is kept, with lone surrogates as U+FFFD", () => {
  expect(canonicalRecord({ b: "a\ud83d", "\ude00": "\u{1f600}" })).toBe(
    '{"b":"a\ufffd","\ufffd":"\u{1f600}"}',
  );
});

test("the digest is SHA-256 over UTF-8, in lower case hex", () => {
  expect(digestOf("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(digestOf("\u00e9")).toBe("4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c");
  expect(digestOf("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
