import { expect, it } from "vitest";
import { oneLine, rawElements } from "../../src/cli/operations/raw-json.ts";
import fc from "../support/fc.ts";

it("keeps every digit of an element: large integers, fractions, exponents", () => {
  const elements = [
    '{"id":48066188026052610,"x":1.0,"y":1e3}',
    '{"z":-0}',
    '"a,]\\"}"',
    "17",
    "[[],{}]",
    "null",
  ];
  const json = `{"epoch":"events","nested":{"events":[9]},"events":[${elements.join(" , ")}],"next":2}`;
  expect(rawElements(json, "events")).toStrictEqual(elements);
});

it("finds nothing in an empty document", () => {
  expect(rawElements('{"events":[]}', "events")).toStrictEqual([]);
  expect(rawElements('{"a":"events"}', "events")).toStrictEqual([]);
});

it("agrees with JSON.parse on any document, compact or indented, with each element on one line", () => {
  const document = fc.record({
    before: fc.jsonValue(),
    events: fc.array(fc.jsonValue()),
    after: fc.jsonValue(),
  });
  fc.assert(
    fc.property(document, fc.constantFrom(undefined, 2, "\t"), (value, indent) => {
      const elements = rawElements(JSON.stringify(value, undefined, indent), "events");
      expect(elements.map((text) => JSON.parse(text))).toStrictEqual(
        JSON.parse(JSON.stringify(value.events)),
      );
      for (const text of elements) expect(text).not.toMatch(/[\r\n]/);
    }),
  );
});

it("puts a document on one line without changing its value", () => {
  expect(oneLine('{\n  "a": "b\\nc"\r\n}\n')).toBe('{   "a": "b\\nc" }');
});
