// What all Nex operations share: exact ids, declared effects, lookups before and after a deletion.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NexServer, startNex } from "../../../sandbox/nex.ts";
import { parseJson, stringifyJson } from "../../../src/core/exact-json.ts";
import { fieldsOf } from "../../../src/services/input.ts";
import { nexOperations } from "../../../src/services/nex/operations.ts";
import { createPolicy } from "../../../src/writes/policy.ts";
import { createWorld } from "../../contract/nex/world.ts";
import fc from "../../support/fc.ts";
import { json, serve } from "../../support/http-server.ts";
import { samples } from "../operations/samples.ts";
import { type Bench, createBench, operationNamed } from "../operations/support.ts";

const SNOWFLAKE = "48066188026052611";
const big = fc.bigInt({ min: 2n ** 53n + 1n, max: 2n ** 63n - 1n });

let server: NexServer;
let bench: Bench;
beforeEach(async () => {
  server = await startNex({ apiKey: "key" });
  bench = createBench({ nex: server.url, nexApiKey: "key" });
});
afterEach(() => server.close());

describe.each(Object.keys(samples).filter((name) => stringifyJson(samples[name]).includes(SNOWFLAKE)))(
  "%s",
  (name) => {
    test("accepts an id as a string or as the integer that a service may have printed, with the same request", () => {
      const { request, input } = operationNamed(name);
      const built = (id: string) =>
        stringifyJson(
          request?.(
            input.parse(parseJson(stringifyJson(samples[name]).replaceAll(`"${SNOWFLAKE}"`, id))),
            bench.factsOf("nex"),
          ),
        );
      fc.assert(
        fc.property(big, (id) => {
          expect(built(String(id))).toBe(built(`"${id}"`));
          expect(built(String(id))).toContain(String(id));
        }),
        { numRuns: 30 },
      );
    });
  },
);

test("integers above 2^53 anywhere in attributes are sent and returned digit for digit", async () => {
  const echo = await serve((response, request) => {
    response.setHeader("content-type", "application/json");
    response.end(`{"id":"1","attributes":${/"attributes":(.*)}$/.exec(request.body)?.[1]}}`);
  });
  const other = createBench({ nex: echo.origin });
  await fc.assert(
    fc.asyncProperty(
      fc.jsonValue(),
      fc.array(big, { minLength: 1, maxLength: 3 }),
      async (value, integers) => {
        const attributes = { name: "Jane", integers, nested: [{ value, deep: integers[0] }] };
        const input = { recordId: "1", attributes };
        const { record } = fieldsOf(await other.run("nex.records.update", input));
        expect(stringifyJson(fieldsOf(record).attributes)).toBe(stringifyJson(attributes));
      },
    ),
    { numRuns: 50 },
  );
});

test("a permanent deletion says so, and no wildcard in the policy approves it", () => {
  const destructive = nexOperations.filter((operation) => operation.destructive).map(({ name }) => name);
  expect(destructive).toEqual([
    ...["nex.objects.delete", "nex.attributes.delete", "nex.relationships.delete", "nex.records.delete"],
    ...["nex.records.remove_relationship", "nex.lists.delete", "nex.lists.remove_record"],
    ...["nex.integrations.disconnect", "nex.notifications.delete_rule"],
  ]);
  // Every DELETE is one, except the two that archive.
  const deletions = nexOperations.filter(({ name, request, input }) => {
    const sent = request?.(fieldsOf(input.parse(samples[name])), bench.factsOf("nex"));
    return sent?.method === "DELETE";
  });
  expect(deletions.map(({ name }) => name).filter((name) => !destructive.includes(name))).toEqual([
    "nex.tasks.archive",
    "nex.notes.archive",
  ]);
  const policy = createPolicy({
    approvals: { ttl: 1, policy: { "nex.*": "auto", "nex.records.*": "auto" } },
  });
  for (const operation of nexOperations)
    expect(policy.approvalOf(operation), operation.name).toBe(operation.destructive ? "operator" : "auto");
});

test("only idempotent operations are ever repeated", () => {
  const repeated = nexOperations.filter(({ effect, idempotent }) => effect === "write" && idempotent);
  expect(repeated.map(({ name }) => name)).toEqual([
    ...["nex.objects.update", "nex.records.upsert", "nex.records.update"],
    ...["nex.lists.upsert_record", "nex.lists.update_record", "nex.tasks.update", "nex.notes.update"],
    "nex.notifications.update_preferences",
  ]);
});

describe.each(nexOperations.filter(({ readBack }) => readBack).map(({ name }) => name))("%s", (name) => {
  test("shows its target, and is looked up if its answer is lost", async () => {
    const input = (await createWorld(server, bench)).input(name);
    const shown = Object.values(fieldsOf(await bench.precondition(name, input)));
    expect(shown.filter((value) => value !== null && value !== "").length).toBeGreaterThan(0);

    server.addFault({ kind: "drop", match: "DELETE" });
    await expect(bench.run(name, input)).rejects.toMatchObject({ maybeSent: true });
    expect(await bench.readBack(name, input, 0)).toEqual({ kind: "not_found" });

    server.addFault({ kind: "drop", match: "DELETE", afterHandling: true });
    await expect(bench.run(name, input)).rejects.toMatchObject({ maybeSent: true });
    const [verb] = Object.keys(
      fieldsOf(operationNamed(name).output({ status: 200, headers: {}, body: undefined }, input)),
    );
    expect(await bench.readBack(name, input, 0)).toEqual({
      kind: "done",
      output: { [verb ?? ""]: Object.values(input).at(-1) },
    });
  });

  test("cannot be proposed for a missing target", async () => {
    const input = { ...samples[name], ...(samples[name]?.objectSlug ? { objectSlug: "none" } : {}) };
    await expect(bench.precondition(name, input)).rejects.toThrow();
  });
});

describe("both documented shapes are read", () => {
  const read = (name: string, body: unknown) =>
    operationNamed(name).output({ status: 200, headers: {}, body }, {});

  test("the id of a text as an integer and as a string, exact", () => {
    expect(read("nex.context.add_text", { artifact_id: 48066188026052611n })).toEqual({
      artifactId: SNOWFLAKE,
    });
    expect(read("nex.context.add_text", { artifact_id: "abc123" })).toEqual({ artifactId: "abc123" });
    for (const body of [{}, { artifact_id: null }, { artifact_id: 1.5 }, [], undefined])
      expect(() => read("nex.context.add_text", body)).toThrow(/unknown shape/);
  });

  test("a list job with its wrapping and without", () => {
    const job = { job_id: "7", status: "pending" };
    for (const body of [job, { message: job }]) {
      expect(read("nex.context.list_jobs", body)).toEqual({ jobId: "7", status: "pending" });
      expect(read("nex.context.get_list_job", body)).toEqual({ job });
    }
  });

  test("lists bare, in data, or under their own name, with the fields beside them", () => {
    for (const body of [[{ id: "1" }], { data: [{ id: "1" }] }, { items: [{ id: "1" }] }])
      expect(read("nex.notifications.list", body)).toEqual({
        notifications: [{ id: "1" }],
        mayHaveMore: false,
      });
    expect(read("nex.records.list", { data: [], total: 0, has_more: false })).toEqual({
      ...{ records: [], total: 0, has_more: false },
    });
    for (const body of [undefined, "x", {}, { data: {} }])
      expect(() => read("nex.tasks.list", body)).toThrow(
        /GET \/v1\/tasks answered 200, but in an unknown shape/,
      );
  });

  test("any JSON is read or refused as unknown, without crashing", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...nexOperations),
        fc.oneof(fc.jsonValue(), fc.constant(undefined)),
        ({ name, input, output }, body) => {
          try {
            stringifyJson(output({ status: 200, headers: {}, body }, fieldsOf(input.parse(samples[name]))));
          } catch (error) {
            expect(error).toMatchObject({ name: "HttpError", code: "unexpected_shape" });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test("a text beyond the limit per minute is refused with the time to wait", async () => {
  const { origin } = await serve(json({ code: 429, message: "slow down" }, 429, { "retry-after": "17" }));
  const other = createBench({ nex: origin });
  await expect(other.run("nex.context.add_text", { content: "x" })).rejects.toMatchObject({
    ...{ status: 429, retryAfterMs: 17_000, retryable: true },
  });
});
