import { expect, test } from "vitest";
import { parseJson, stringifyJson } from "../../../src/core/exact-json.ts";
import { createResponse } from "../../../src/http/response.ts";
import { messagePage, parsePage } from "../../../src/services/messaging/reading/page.ts";
import fc from "../../support/fc.ts";

const WHERE = { service: "messaging", label: "a page" };
const read = (text: string) =>
  messagePage.parse(parsePage(createResponse({ status: 200, headers: {}, body: Buffer.from(text) }, WHERE)))
    .messages;

const nested = (depth: number, inner: string) => `${'{"a":['.repeat(depth)}${inner}${"]}".repeat(depth)}`;

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !stringifyJson(value).includes('{"\\u0000"'));
const big = fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n });
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('{"\\u0000":"1"}', "1234567890123456789"),
);

test("a message whose JSON is nested too deeply arrives without it, and all others unchanged", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ text, json, big }), { maxLength: 4 }),
      fc.constantFrom(300, 4000, 100_000),
      fc.constantFrom("1", "12345678901234567890", '"x"'),
      (others, depth, inner) => {
        const written = others.map((other, n) =>
          stringifyJson({
            id: `m${n}`,
            cursor: n,
            text: other.text,
            json: { json: other.json, big: other.big },
          }),
        );
        const deep = `{"id":"deep","cursor":"99","text":"deep","json":${nested(depth, inner)}}`;
        const messages = read(`{"messages":[${[deep, ...written].join()}],"nextCursor":"99"}`);
        expect(messages[0]).toMatchObject({
          ...{ id: "deep", text: "deep", cursor: "99", jsonOmitted: "nested too deeply" },
        });
        expect(messages[0]?.json).toBeUndefined();
        expect(messages.slice(1).map(({ text, json }) => ({ text, json }))).toEqual(
          others.map((other) => ({
            text: other.text,
            json: parseJson(stringifyJson({ json: other.json, big: other.big })),
          })),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("JSON of a sensible depth arrives unchanged", () => {
  const text = `{"messages":[{"id":"1","cursor":"1","json":${nested(100, "12345678901234567890")}}]}`;
  expect(stringifyJson(read(text)[0]?.json)).toBe(nested(100, "12345678901234567890"));
});

test("invalid JSON is the same error as before", () => {
  for (const text of ["<html>", '{"messages":[12345678901234567890', `{"messages":[${"[".repeat(1000)}`])
    expect(() => read(text)).toThrow(expect.objectContaining({ code: expect.stringMatching(/json/) }));
});

test.each([
  ["too many values", `[${"1,".repeat(250_000)}1]`],
  ["a number of too many digits", `{"n":${"7".repeat(200)}}`],
])("a message whose JSON has %s arrives without it, and the others arrive unchanged", (why, json) => {
  const texts = [
    { id: "a", cursor: "1", text: `"json": ${"9".repeat(200)}`, json: { json: [1, "}"] } },
    { id: "c", cursor: "3", json: 5 },
  ];
  const [first, last] = texts.map((message) => stringifyJson(message));
  const messages = read(`{"messages":[${first},{"id":"b","cursor":"2", "json" :\n${json} },${last}]}`);
  expect(messages).toEqual([texts[0], { id: "b", cursor: "2", jsonOmitted: why }, texts[1]]);
});

test("a day of small messages fits in one readable page", () => {
  const messages = Array.from({ length: 50_000 }, (_, n) => ({
    id: `m${n}`,
    cursor: `${n}`,
    text: "x",
    verified: true,
  }));
  expect(read(stringifyJson({ messages }))).toHaveLength(50_000);
});
