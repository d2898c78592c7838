// The operations of Nex against its stand-in.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NexServer, startNex } from "../../../sandbox/nex.ts";
import { stringifyJson } from "../../../src/core/exact-json.ts";
import { json, serve } from "../../support/http-server.ts";
import { type Bench, createBench, operationNamed } from "./support.ts";

let server: NexServer;
let bench: Bench;

beforeEach(async () => {
  server = await startNex({ apiKey: "key" });
  bench = createBench({ nex: server.url, nexApiKey: "key" });
});
afterEach(() => server.close());

interface Shown {
  record: { id: string; attributes: Record<string, unknown> };
}
const create = async (attributes: object) =>
  (await bench.run("nex.records.create", { objectSlug: "person", attributes })) as Shown;

test("kinds of records are listed, with their attributes on request", async () => {
  const { objects } = (await bench.run("nex.objects.list", {})) as { objects: object[] };
  expect(objects).toMatchObject([{ slug: "person" }, { slug: "company" }]);
  expect(objects[0]).not.toHaveProperty("attributes");
  expect(await bench.run("nex.objects.list", { includeAttributes: true })).toMatchObject({
    objects: [{ attributes: [{ slug: "name" }, { slug: "email" }, {}, {}] }, {}],
  });
});

describe("records", () => {
  test("are created and read back, integers above 2^53 digit for digit", async () => {
    const name = { first_name: "Jane", last_name: "Doe" };
    const { record } = await create({ name, external_id: 90_071_992_547_409_931n });
    expect(BigInt(record.id)).toBeGreaterThan(2n ** 53n);
    // As an agent would give it that read the id as a JSON number.
    const found = await bench.run("nex.records.get", { recordId: BigInt(record.id) });
    expect(found).toMatchObject({
      record: { id: record.id, type: "person", attributes: { name, external_id: 90_071_992_547_409_931n } },
    });
  });

  test("are updated if one matches, and created if none does", async () => {
    const upsert = (title: string, email: string) =>
      bench.run("nex.records.upsert", {
        objectSlug: "person",
        matchingAttribute: "email",
        attributes: { name: "Jane", email, title },
      }) as Promise<Shown>;
    const first = await upsert("CTO", "jane@example.com");
    const second = await upsert("CEO", "jane@example.com");
    const third = await upsert("CEO", "joe@example.com");
    expect(second.record).toMatchObject({ id: first.record.id, attributes: { title: "CEO" } });
    expect(third.record.id).not.toBe(first.record.id);
  });

  test("are deleted, after the proposal showed them", async () => {
    const { record } = await create({ name: "Jane", email: "jane@example.com" });
    const input = { recordId: record.id };
    expect(await bench.precondition("nex.records.delete", input)).toEqual({ type: "person", name: "Jane" });
    expect(await bench.run("nex.records.delete", input)).toEqual({ deleted: record.id });
    await expect(bench.run("nex.records.get", input)).rejects.toMatchObject({ status: 404 });
    // A missing record cannot be proposed for deletion.
    await expect(bench.precondition("nex.records.delete", input)).rejects.toMatchObject({ status: 404 });
  });

  test("a deletion in doubt is looked up", async () => {
    const { record } = await create({ name: "Jane" });
    const input = { recordId: record.id };
    server.addFault({ kind: "drop", match: "DELETE" });
    await expect(bench.run("nex.records.delete", input)).rejects.toMatchObject({ maybeSent: true });
    expect(await bench.readBack("nex.records.delete", input, 0)).toEqual({ kind: "not_found" });
    server.addFault({ kind: "drop", match: "DELETE", afterHandling: true });
    await expect(bench.run("nex.records.delete", input)).rejects.toMatchObject({ maybeSent: true });
    expect(await bench.readBack("nex.records.delete", input, 0)).toMatchObject({ kind: "done" });
  });

  test("an answer wrapped in data is read like one without", () => {
    const { output } = operationNamed("nex.records.get");
    const record = { id: "1", attributes: { data: 1 } };
    for (const body of [record, { data: record }])
      expect(output({ status: 200, headers: {}, body }, {})).toEqual({ record });
  });
});

test("a note is created on a record", async () => {
  const { record } = await create({ name: "Jane" });
  const note = { title: "Call", content: "line one\nline two", recordId: record.id };
  expect(await bench.run("nex.notes.create", note)).toMatchObject({
    note: { id: expect.any(String), title: "Call", content: "line one\nline two", entity_id: record.id },
  });
});

test("a question is answered, with exact ids in the answer", async () => {
  const { record } = await create({ name: "Jane Doe" });
  expect(await bench.run("nex.context.ask", { query: "What about Jane?" })).toMatchObject({
    answer: expect.any(String),
    entities_considered: [{ id: BigInt(record.id), name: "Jane Doe" }],
  });
});

describe("insights", () => {
  test("are listed in both documented shapes", async () => {
    server.emit([{ content: "one" }, { content: "two" }]);
    for (const shape of ["insights", "data", "bare"] as const) {
      server.setShape(shape);
      const { insights } = (await bench.run("nex.insights.list", { last: "1h30m" })) as { insights: [] };
      expect(insights).toHaveLength(2);
    }
  });

  test("and notifications report possible further ones if as many as requested arrive", async () => {
    server.setShape("insights");
    server.emit([{ content: "one" }, { content: "two" }]);
    for (const [limit, isMore] of [
      [2, true],
      [100, false],
    ] as const)
      expect(await bench.run("nex.insights.list", { last: "1h", limit })).toMatchObject({
        mayHaveMore: isMore,
      });
    const answer = (count: number) => ({
      ...{ status: 200, headers: {} },
      body: { items: Array.from({ length: count }, (_, id) => ({ id: `n${id}` })) },
    });
    const more = (count: number, limit?: number) =>
      operationNamed("nex.notifications.list").output(answer(count), limit === undefined ? {} : { limit });
    expect(more(20)).toMatchObject({ mayHaveMore: true });
    expect(more(20, 50)).toMatchObject({ mayHaveMore: false });
    expect(more(3, 3)).toMatchObject({ mayHaveMore: true });
  });

  test("a period is given in hours or minutes, or from one time to another", () => {
    const paths = [
      {},
      { last: "90m", limit: 5 },
      { from: "2026-02-07T00:00:00Z", to: "2026-02-08T00:00:00Z" },
    ].map((input) => bench.request("nex.insights.list", input).path);
    expect(paths).toEqual([
      "/api/developers/v1/insights?limit=20",
      "/api/developers/v1/insights?last=90m&limit=5",
      "/api/developers/v1/insights?from=2026-02-07T00%3A00%3A00Z&to=2026-02-08T00%3A00%3A00Z&limit=20",
    ]);
  });

  test.each([
    { last: "1d" },
    { last: "" },
    { last: "0m" },
    { last: "90" },
    { last: "1h&limit=1" },
    { from: "2026-02-07T00:00:00Z" },
    { last: "1h", from: "2026-02-07T00:00:00Z", to: "2026-02-08T00:00:00Z" },
    { from: "2026-02-08T00:00:00Z", to: "2026-02-07T00:00:00Z" },
    { from: "2026-02-07T00:00:00.5Z", to: "2026-02-08T00:00:00Z" },
    { limit: 101 },
  ])("%j is refused", (input) => {
    expect(operationNamed("nex.insights.list").input.safeParse(input).success).toBe(false);
  });
});

test("a missing scope is reported as 403", async () => {
  server.setScopes([]);
  await expect(create({ name: "Jane" })).rejects.toMatchObject({ status: 403, retryable: false });
});

test("the approved JSON is sent digit for digit, with the key as a header", async () => {
  const { origin, requests } = await serve(json({ id: "1" }));
  const other = createBench({ nex: origin, nexApiKey: "key" });
  const attributes = { name: "Jane", big: 2n ** 60n, nested: [{ text: "\u202e ü" }] };
  const input = { objectSlug: "person", attributes };
  await other.run("nex.records.create", input);
  expect(requests).toMatchObject([
    {
      method: "POST",
      url: "/api/developers/v1/objects/person",
      headers: { authorization: "Bearer key", "content-type": "application/json" },
      body: stringifyJson({ attributes }),
    },
  ]);
  expect(other.request("nex.records.create", input).json).toEqual({ attributes });
});
