import { expect, test } from "vitest";
import { cloudEventJson, type EventRow, timeAndData } from "../../src/contract/cloudevent.ts";
import fc from "../support/fc.ts";

const row: EventRow = {
  sequence: 42,
  id: "01JZ0000000000000000000000",
  source: "/nex/insights",
  type: "nexusd.nex.insight.received",
  subject: null,
  time: "2026-03-01T10:00:00.000Z",
  data: '{"insight":{"id":48066188026052611},"confidence":0.90}',
};

test("an event carries the attributes of CloudEvents 1.0 and its sequence as a string", () => {
  expect(JSON.parse(cloudEventJson({ ...row, subject: "order 7", data: "{}" }))).toEqual({
    specversion: "1.0",
    id: row.id,
    source: "/nex/insights",
    type: "nexusd.nex.insight.received",
    subject: "order 7",
    time: "2026-03-01T10:00:00.000Z",
    datacontenttype: "application/json",
    sequence: "42",
    data: {},
  });
});

test("data is served digit for digit, and an absent subject is left out", () => {
  const json = cloudEventJson(row);
  expect(json).toContain(`"data":${row.data}`);
  expect(JSON.parse(json)).not.toHaveProperty("subject");
});

test("no text in a subject or source can break out of its field", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, text, (subject, source) => {
      expect(JSON.parse(cloudEventJson({ ...row, subject, source, data: "1" }))).toMatchObject({
        subject,
        source,
        data: 1,
      });
    }),
  );
});

test("its time and data are found whatever a subject, a source or the data hold", () => {
  const part = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(',"data":', '","time":"', ",", '"', "\\"),
  );
  const text = fc.array(part).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, text, (subject, source, said) => {
      const data = JSON.stringify({ text: said, number: 1 }).replace("1}", "48066188026052611}");
      expect(timeAndData(cloudEventJson({ ...row, subject, source, data }))).toEqual({
        time: JSON.stringify(row.time),
        data,
      });
    }),
  );
});
