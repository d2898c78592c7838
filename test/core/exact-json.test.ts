import { expect, test } from "vitest";
import { parseJson, stringifyJson } from "../../src/core/exact-json.ts";
import fc from "../support/fc.ts";

const bigInteger = fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }).map((n) => (n % 2n === 0n ? n : -n));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string({ unit: "binary" }), fc.boolean(), fc.constant(null), fc.integer(), bigInteger),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) || isHuge(n) ? 0.5 : n)),
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie("tree"), { maxKeys: 5, noNullPrototype: true }),
  ),
}));
// JSON.stringify writes whole numbers below 1e21 as integers, which are then read back as bigint.
const isHuge = (n: number) => Number.isInteger(n) && !Number.isSafeInteger(n) && Math.abs(n) < 1e21;

test("what is written is read back unchanged, including integers of any size", () => {
  fc.assert(
    fc.property(tree, (value) => {
      expect(parseJson(stringifyJson(value))).toEqual(value);
    }),
  );
});

test("text that was read is written unchanged, including integers of any size", () => {
  fc.assert(
    fc.property(tree, (value) => {
      const text = stringifyJson(value);
      expect(stringifyJson(parseJson(text))).toBe(text);
    }),
  );
});

test("text without large integers parses as with JSON.parse", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      fc.pre(!/\d{16}/.test(text));
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

test("a large integer is found between any runs of digits", () => {
  const digits = fc.string({ unit: fc.constantFrom("7", "7", "7", "-", "x"), maxLength: 40 });
  const shortest = fc.bigInt({ min: 2n ** 53n, max: 10n ** 16n - 1n });
  fc.assert(
    fc.property(fc.array(digits, { maxLength: 5 }), shortest, fc.array(digits), (before, big, behind) => {
      const value = [...before, big, ...behind];
      expect(parseJson(stringifyJson(value))).toEqual(value);
    }),
  );
});

test("an integer becomes a bigint only if a number would round it", () => {
  expect(parseJson("[9007199254740991, 9007199254740993, -48066188026052610]")).toEqual([
    9007199254740991,
    9007199254740993n,
    -48066188026052610n,
  ]);
  expect(parseJson('{"pi": 3.14159265358979323846, "e": 1e30}')).toEqual({ pi: Math.PI, e: 1e30 });
  expect(parseJson('"9007199254740993"')).toBe("9007199254740993");
});

test("invalid JSON is a SyntaxError, however large its numbers or deep its nesting", () => {
  expect(() => parseJson("<html>")).toThrow(SyntaxError);
  expect(() => parseJson("[9007199254740993")).toThrow(SyntaxError);
  const depth = 200_000;
  expect(() => parseJson(`${"[".repeat(depth)}9007199254740993${"]".repeat(depth)}`)).toThrow(SyntaxError);
});

test("a value that JSON cannot hold is a TypeError", () => {
  const circular: unknown[] = [1n];
  circular.push(circular);
  for (const value of [undefined, () => 1, circular]) expect(() => stringifyJson(value)).toThrow(TypeError);
});
