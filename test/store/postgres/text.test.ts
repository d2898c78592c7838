// What PostgreSQL would not keep as it is.

import { expect, test } from "vitest";
import { fromText, toText } from "../../../src/store/postgres/text.ts";
import fc from "../../support/fc.ts";
import { openPostgres } from "./harness.ts";

const letters = fc.string({ unit: fc.constantFrom("\u0000", "\u0001", "\u0002", "a", "é", "😀") });

test("any text comes back as it was, and texts keep their order", () => {
  fc.assert(
    fc.property(letters, letters, (a, b) => {
      expect(fromText(toText(a))).toBe(a);
      expect(toText(a)).not.toContain("\u0000");
      expect(Math.sign(Buffer.compare(Buffer.from(toText(a)), Buffer.from(toText(b))))).toBe(
        Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
    }),
  );
});

test("U+0000 in a key, a source, a secret and a document is kept", async () => {
  const store = await openPostgres();
  const odd = "a\u0000b\u0001c";
  await store.commitObservation({
    source: odd,
    cursor: { odd },
    put: [{ kind: "k", key: odd, value: odd }],
    secrets: [{ name: odd, value: odd }],
    events: [{ type: "service.recovered", source: odd, subject: odd, data: { service: "nex", state: odd } }],
  });
  expect((await store.readCursor(odd))?.value).toEqual({ odd });
  expect(await store.readRecords("k")).toMatchObject([{ key: odd, value: odd }]);
  expect(await store.readSecret(odd)).toBe(odd);
  const { events } = await store.readEvents({ after: 0, limit: 1, source: odd });
  expect(JSON.parse(events[0]?.json ?? "")).toMatchObject({
    source: odd,
    subject: odd,
    data: { state: odd },
  });
});
