// A body is read exactly or refused, whatever its content.

import { describe, expect, test } from "vitest";
import { parseBody } from "../../src/control/body.ts";
import { stringifyJson } from "../../src/core/exact-json.ts";
import fc from "../support/fc.ts";
import { limitsOf } from "../support/limits.ts";

const parse = (text: string) => parseBody(Buffer.from(text), limitsOf());
const nested = (depth: number, inner = "1") => "[".repeat(depth) + inner + "]".repeat(depth);

test("any JSON is either refused or unchanged when written again", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const before = JSON.parse(text);
      // A name that could change an object's prototype is refused; the tests below say which.
      fc.pre(!/__proto__|constructor/.test(text));
      expect(stringifyJson(parse(text))).toBe(stringifyJson(before));
    }),
  );
});

test("integers above 2^53 are exact", () => {
  expect(parse('{"id":12345678901234567890,"n":9007199254740991}')).toEqual({
    id: 12345678901234567890n,
    n: 9007199254740991,
  });
});

test("a byte order mark is not part of it", () => {
  expect(parse("\ufeff{}")).toEqual({});
});

describe("is refused as invalid_json", () => {
  test.each([
    ["nothing but space", " "],
    ["no JSON", "{a:1}"],
    ["two values", "{}{}"],
    ["__proto__", '{"a":[{"__proto__":{"b":1}}]}'],
    ["__proto__ in escapes", '{"\\u005f_proto__":1}'],
    ["constructor.prototype", '{"constructor":{"prototype":{"a":1}}}'],
    ["half a pair in a text", '["\\ud83d"]'],
    ["half a pair in a name", '{"\\udc00":1}'],
    ["a number beyond all doubles", "[1e999]"],
    ["a negative one", "[-1e999]"],
    ["65 levels", nested(65)],
    ["500,000 levels", nested(500_000)],
    ["500,000 levels around a large integer", nested(500_000, "12345678901234567890")],
    ["500,000 levels that never end", "[".repeat(500_000)],
    ["500,000 levels of objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
  ])("%s", (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ name: "Problem", code: "invalid_json" }));
  });

  test.each([
    ["a byte that begins nothing", [0xff]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["a surrogate in UTF-8", [0xed, 0xa0, 0x80]],
    ["a character cut short", [0xe2, 0x82]],
  ])("%s", (_what, bytes) => {
    const body = Buffer.concat([Buffer.from('["'), Buffer.from(bytes), Buffer.from('"]')]);
    expect(() => parseBody(body, limitsOf())).toThrow(expect.objectContaining({ code: "invalid_json" }));
  });
});

test.each([
  ["64 levels", nested(64)],
  ["40 digits", `[${"9".repeat(40)}]`],
  ["20,000 values", `[${"1,".repeat(19_997)}1]`],
  ["a text of digits alone", `["${"9".repeat(5000)}","\\"${"9".repeat(5000)}"]`],
  ["a field constructor", '{"constructor":"Foster + Partners"}'],
  ["a field prototype", '{"prototype":{"constructor":1}}'],
  ["a field hasOwnProperty", '{"hasOwnProperty":1}'],
  ["emoji", '["👩‍👩‍👧"]'],
])("%s is not", (_what, text) => {
  expect(stringifyJson(parse(text))).toBe(text);
});

describe("is refused as body_too_large, with the limit", () => {
  test.each([
    ["41 digits", `[${"9".repeat(41)}]`, "40 digits"],
    ["41 digits around a point", `[-${"9".repeat(20)}.${"9".repeat(21)}]`, "40 digits"],
    ["41 digits after a text with a quote", `["a\\"${"9".repeat(50)}",-${"9".repeat(41)}]`, "40 digits"],
    ["20,001 numbers", `[${"1,".repeat(20_000)}1]`, "20000 values"],
    ["10,001 names with their values", `{${'"a":1,'.repeat(10_000)}"a":1}`, "20000 values"],
    ["20,001 empty lists", `[${"[],".repeat(20_000)}[]]`, "20000 values"],
  ])("%s", (_what, text, figure) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: "body_too_large", message: expect.stringContaining(figure) }),
    );
  });
});

test("the largest bodies are read or refused in a moment, whatever they contain", () => {
  const fill = (unit: string, around: [string, string]) => {
    const room = 2 ** 20 - around[0].length - around[1].length;
    return around[0] + unit.repeat(Math.floor(room / unit.length)) + around[1];
  };
  const bodies = [
    fill("9", ["", ""]),
    fill("9", ['"', '"']),
    fill('\\"', ['"', '"']),
    fill("1234567890123456,", ["[", "1]"]),
    fill("[],", ["[", "1]"]),
    fill('"a",', ["[", "1]"]),
    fill('"', ["", ""]),
    fill("\\u0041", ['"', '"']),
  ];
  // Processor time, which is independent of the machine's load.
  const before = process.cpuUsage();
  for (const body of bodies)
    try {
      parse(body);
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid_json|body_too_large)$/) });
    }
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000 / bodies.length).toBeLessThan(500);
});
