import { expect, test } from "vitest";
import { parseJson, stringifyJson } from "../../../src/http/json.ts";
import { messagePage, parsePage } from "../../../src/services/messaging/page.ts";
import fc from "../../support/fc.ts";

const read = (text: string) =>
  messagePage.parse(parsePage({ text: () => text, json: () => parseJson(text) })).messages;

const nested = (depth: number, inner: string) => `${'{"a":['.repeat(depth)}${inner}${"]}".repeat(depth)}`;

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !stringifyJson(value).includes('{"\\u0000"'));
const big = fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n });
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('{"\\u0000":"1"}', "1234567890123456789"),
);

test("a message whose JSON is nested too deeply comes without it, and all others as they are", () => {
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

test("JSON of a depth that anybody means comes as it is", () => {
  const text = `{"messages":[{"id":"1","cursor":"1","json":${nested(100, "12345678901234567890")}}]}`;
  expect(stringifyJson(read(text)[0]?.json)).toBe(nested(100, "12345678901234567890"));
});

test("what is no JSON is the error that it was", () => {
  expect(() => read("<html>")).toThrow(SyntaxError);
  expect(() => read('{"messages":[12345678901234567890')).toThrow(SyntaxError);
});
