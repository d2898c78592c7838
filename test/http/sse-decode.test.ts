import { describe, expect, test } from "vitest";
import { createEventDecoder } from "../../src/http/sse-decode.ts";
import { type Interpreted, interpret } from "../support/event-stream.ts";
import fc from "../support/fc.ts";

const LIMIT = 8 * 1024 * 1024;

function decode(pieces: Uint8Array[]): Interpreted {
  const decoder = createEventDecoder(LIMIT);
  const events = pieces.flatMap((piece) => decoder.decode(piece) ?? expect.fail("too large"));
  return { events, lastEventId: decoder.lastEventId, retryMs: decoder.retryMs };
}

const data = (text: string) => decode([Buffer.from(text)]).events.map((event) => event.data);

/** The bytes split before each of these positions. */
const cut = (bytes: Uint8Array, places: number[]) => {
  const bounds = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  return bounds.slice(1).map((end, n) => bytes.subarray(bounds[n], end));
};

/** Every piece of meaningful syntax, and things that only look like it. */
const scrap = fc.constantFrom(
  ...["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\0", " ", ":", "\uFEFF", "ï»¿", "\u0085", "\u2028"],
  ...["data", "data:", "data: ", "data:  x", "data: [1]", "dat", "Data: x", "datax: y"],
  ...["event", "event:", "event: insight", "event: größe", "id", "id:", "id: 1", "id: a\0b", "id: ü"],
  ...["retry: 5", "retry:", "retry: 5x", "retry: -1", "retry: ٣", "retry: 007", ": comment", "unknown: x"],
  ...["😀", "€", "x"],
);
const bytesOfStream = fc.oneof(
  fc.array(scrap, { maxLength: 40 }).map((scraps) => Buffer.from(scraps.join(""))),
  // Including bytes that are not UTF-8.
  fc
    .array(
      fc.oneof(
        scrap.map((text) => Buffer.from(text)),
        fc.uint8Array({ maxLength: 3 }),
      ),
      { maxLength: 30 },
    )
    .map((parts) => Buffer.concat(parts)),
);

describe("an event stream", () => {
  test("of any bytes, split anywhere, parses as the standard says", () => {
    fc.assert(
      fc.property(bytesOfStream, fc.array(fc.nat(), { maxLength: 12 }), (bytes, places) => {
        expect(decode(cut(bytes, places))).toEqual(interpret(bytes));
      }),
      {
        numRuns: 3000,
        // A BOM in two pieces, and a second one, which belongs to the field name.
        examples: [[Buffer.from("\uFEFF\uFEFFdata: x\n\ndata: y\n\n"), [1]]],
      },
    );
  });

  test("byte by byte gives the same as at once", () => {
    fc.assert(
      fc.property(bytesOfStream, (bytes) => {
        expect(decode([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(decode([bytes]));
      }),
      { numRuns: 500 },
    );
  });

  // The examples of the standard.
  test.each([
    ["data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]],
    [
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      ["first event", "second event", " third event"],
    ],
    ["data\n\ndata\ndata\n\ndata:", ["", "\n"]],
    ["data:test\n\ndata: test\n\n", ["test", "test"]],
  ])("%j gives %j", (text, expected) => {
    expect(data(text)).toEqual(expected);
  });

  test("drops one BOM at its start, and no more", () => {
    expect(data("\uFEFFdata: x\n\n")).toEqual(["x"]);
    expect(data("\uFEFF\uFEFFdata: x\n\n")).toEqual([]);
    // The bytes of a BOM decoded as Latin-1 are not a BOM.
    expect(data("ï»¿data: x\n\n")).toEqual([]);
  });

  test("keeps its last ID across events and connections, until another or an empty one arrives", () => {
    const decoder = createEventDecoder(LIMIT, "before");
    const ids = (text: string) => decoder.decode(Buffer.from(text))?.map(({ lastEventId }) => lastEventId);
    expect(ids("data: x\n\nid: 7\ndata: x\n\ndata: x\n\n")).toEqual(["before", "7", "7"]);
    expect(ids("id: a\0b\ndata: x\n\nid: without data\n\ndata: x\n\n")).toEqual(["7", "without data"]);
    expect(ids("id: of an unfinished event\ndata: x\n")).toEqual([]);
    expect(decoder.lastEventId).toBe("without data");
    expect(ids("\nid\ndata: x\n\n")).toEqual(["of an unfinished event", ""]);
  });
});

describe("an event that does not end", () => {
  test.each([
    ["a line", "data: xxxxxxxxxx"],
    ["an event", "data: xxxxxxxxxx\n"],
    ["an event of empty lines of data", "data\n"],
    ["a comment", ": xxxxxxxxx"],
    ["an event of CRLF", "data: xxxxxxxxxx\r\n"],
    ["a line of an unknown field", "xxxxxxxxx"],
    ["a name", "event: xxxxxxx"],
  ])("is given up at the limit: %s", (_, piece) => {
    const decoder = createEventDecoder(10_000);
    const bytes = Buffer.from(piece);
    let size = 0;
    while (decoder.decode(bytes) !== undefined) size += bytes.length;
    expect(size).toBeGreaterThan(10_000 - bytes.length);
    expect(size).toBeLessThanOrEqual(10_000);
  });

  test.each(["\n\n", "\r\r", "\r\n\r\n", "\n\r\n", "\r\n\n"])(
    "ends with a blank line as %j, even one split in two",
    (end) => {
      const decoder = createEventDecoder(1000);
      for (let n = 0; n < 500; n++) {
        const bytes = Buffer.from(`data: ${"x".repeat(500)}${end}`);
        const at = bytes.length - (n % (end.length + 1));
        const events = [bytes.subarray(0, at), bytes.subarray(at)].flatMap(
          (part) => decoder.decode(part) ?? [undefined],
        );
        expect(events).not.toContain(undefined);
      }
      // Blank lines of keepalives count too, for months.
      for (let n = 0; n < 500; n++) expect(decoder.decode(Buffer.from(`: keepalive${end}`))).toBeDefined();
    },
  );
});

test.each<[boolean, string, ...string[]]>([
  [true, "a comment", ": keepalive\n\n"],
  [true, "a part of a long event", "data: {", '"a": 1', ', "b": 2'],
  [true, "the beginning of a field", "da"],
  [true, "an event beside a field that is not known", "other: 1\ndata: x\n\n"],
  [true, "what follows noise", "noise\n", "data: x\n\n"],
  [false, "noise", "\u0000\ufffd"],
  [false, "lines of noise with a comment among them", "<html>\n: x\n"],
  [false, "the end of a line of noise", "<htm", "l>\n"],
  [false, "nothing", ""],
])("isReadable is %j after %s", (isReadable, _, ...pieces) => {
  const decoder = createEventDecoder(1000);
  for (const piece of pieces) decoder.decode(Buffer.from(piece));
  expect(decoder.isReadable).toBe(isReadable);
});
