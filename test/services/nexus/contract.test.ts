// The client's assumptions about PostgREST, against the real one (12) and a gateway with the codes of 14.

import { PostgrestClient } from "@supabase/postgrest-js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { NexusServer } from "../../../sandbox/nexus.ts";
import type { NexusClient, Row } from "../../../src/services/nexus/client.ts";
import { readByIds } from "../../../src/services/nexus/client.ts";
import { driftError, driftOf } from "../../../src/services/nexus/drift.ts";
import { readFeed } from "../../../src/services/nexus/feed.ts";
import { type Filter, type RowQuery, restPath } from "../../../src/services/nexus/query.ts";
import { connect, startShop } from "../../jobs/nexus-harness.ts";
import { toFetch } from "../../support/client-fetch.ts";

const MAX_ROWS = 7;
const signal = AbortSignal.timeout(120_000);
const NASTY = ['say "hi"', "back\\slash", "a,b", "(x)", "50%", "a+b", "ünï", "", "null", "x.y:z", "'"];

describe.each(["12", "14"] as const)("PostgREST %s", (variant) => {
  let server: NexusServer;
  let nexus: NexusClient;
  const organization = () => server.organizationId;
  const select = "id,order_number,created_at";
  const read = (query: Partial<RowQuery>) =>
    nexus.read({ table: "orders", select, filters: [], ...query }, signal);
  const failure = (query: Partial<RowQuery>) =>
    read(query).then(
      () => Promise.reject(new Error("it did not fail")),
      (error) => error,
    );

  beforeAll(async () => {
    server = await startShop({ variant, dbMaxRows: MAX_ROWS });
    await server.ready;
    nexus = connect(server.url);
  });
  beforeEach(async () => {
    server.clearFaults();
    await server.sql("truncate orders cascade");
  });
  afterAll(() => server.close());

  const addOrders = (count: number) =>
    server.sql(
      `insert into orders (organization_id, order_number, created_at)
       select $1, 'N' || n, '2026-11-21T00:27:04.129736Z'::timestamptz + (n / 3) * interval '1 microsecond'
       from generate_series(1, $2) n`,
      [organization(), count],
    );

  it("cuts a page at db-max-rows without saying so, so only an empty page is the end", async () => {
    await addOrders(20);
    expect(await read({ limit: 1000 })).toHaveLength(MAX_ROWS);
    const ids: string[] = [];
    for (;;) {
      const last = ids.at(-1);
      const page = await read({
        order: ["id"],
        limit: 1000,
        after: last ? [{ column: "id", value: last }] : [],
      });
      if (page.length === 0) break;
      ids.push(...page.map(({ id }) => id));
    }
    expect(new Set(ids).size).toBe(20);
    expect(ids).toEqual(ids.toSorted());
    expect(await readByIds(nexus, { table: "orders", select }, ids, signal)).toHaveLength(20);
  });

  it("finds every row once by time and id, with the time as the server wrote it", async () => {
    await addOrders(20);
    const seen: unknown[] = [];
    for (let after: RowQuery["after"] = []; ; ) {
      const page = await read({ order: ["created_at", "id"], after, limit: 4 });
      const last = page.at(-1);
      if (!last) break;
      seen.push(...page.map(({ order_number }) => order_number));
      after = [
        { column: "created_at", value: String(last.created_at) },
        { column: "id", value: last.id },
      ];
    }
    expect(seen).toHaveLength(20);
    expect(new Set(seen).size).toBe(20);
  });

  it("accepts any text as a value, alone and in a list", async () => {
    for (const text of NASTY)
      await server.sql("insert into orders (organization_id, order_number) values ($1, $2)", [
        organization(),
        text,
      ]);
    for (const text of NASTY)
      for (const filter of [
        { column: "order_number", operator: "eq", value: text },
        // PostgREST treats a list of one empty text as an empty list.
        { column: "order_number", operator: "in", value: [text || "null", text] },
        { column: "order_number", operator: "in", value: ["other", text, "x"] },
      ] satisfies Filter[])
        expect((await read({ filters: [filter] })).map((row) => row.order_number)).toContain(text);
    expect(await read({ filters: [{ column: "order_number", operator: "in", value: [] }] })).toEqual([]);
  });

  it("gives the same answer as postgrest-js, the vendor's own client, to the same question", async () => {
    await addOrders(9);
    const rest = new PostgrestClient(`${server.url}/rest/v1`, {
      fetch: toFetch(nexus.http, (method, url) => `${method} ${url.pathname}`),
    });
    const { data } = await rest
      .from("orders")
      .select(select)
      .gte("created_at", "2026-11-21T00:27:04.129737+00:00")
      .in("order_number", ["N3", "N4", "N8"])
      .neq("order_number", "N4")
      .is("shopify_order_id", null)
      .order("created_at", { ascending: false, nullsFirst: false })
      .order("id", { ascending: false, nullsFirst: false })
      .limit(5)
      .throwOnError();
    const filters: Filter[] = [
      { column: "created_at", operator: "gte", value: "2026-11-21T00:27:04.129737+00:00" },
      { column: "order_number", operator: "in", value: ["N3", "N4", "N8"] },
      { column: "order_number", operator: "neq", value: "N4" },
      { column: "shopify_order_id", operator: "is", value: null },
    ];
    const own = await read({ filters, order: ["created_at", "id"], newestFirst: true, limit: 5 });
    expect(own).toEqual(data);
    expect(own.map((row) => row.order_number)).toEqual(["N8", "N3"]);
  });

  it("reports a missing column, table or value, and what to set", async () => {
    const watch = {
      job: "nexus-pending-orders",
      table: "orders",
      columns: ["order_status"],
      valueKey: "status",
    };
    const said = async (query: Partial<RowQuery>) => {
      const error = await failure(query);
      const drift = driftOf(error);
      if (!drift) throw error;
      return { ...drift, message: driftError(error, drift, watch).message };
    };
    expect(await said({ select: "id,order_state" })).toMatchObject({ kind: "column", name: "order_state" });
    expect(await said({ select: "id,order_items(skew)" })).toMatchObject({ kind: "column", name: "skew" });
    expect(await said({ order: ["order_state"] })).toMatchObject({ kind: "column", name: "order_state" });
    expect(
      await said({ filters: [{ column: "order_status", operator: "eq", value: "processing" }] }),
    ).toMatchObject({ kind: "value", name: "processing", message: expect.stringContaining("set status in") });
    expect(await said({ table: "inventory_items" })).toMatchObject({
      kind: "table",
      name: "inventory_items",
    });
    expect(await said({ select: "id,warehouses(name)" })).toMatchObject({ kind: "relation" });
  });

  it("an expired token costs one exchange, whatever the error code", async () => {
    await read({});
    const before = server.exchanges();
    server.expireTokens();
    expect(await read({})).toEqual([]);
    expect(server.exchanges()).toBe(before + 1);
  });

  it("a time beyond the last row does not end a feed", async () => {
    await server.sql("truncate messages");
    const [chat] = await server.sql("select id from chats where organization_id = $1 limit 1", [
      organization(),
    ]);
    const feed = {
      table: "messages",
      select: "id,content,timestamp",
      time: "timestamp",
      filters: [{ column: "direction", operator: "eq", value: "inbound" }] satisfies Filter[],
      event: (row: Row) => ({
        type: "service.recovered" as const,
        source: "/test",
        data: { service: "nexus" as const, state: String(row.content) },
      }),
    };
    const add = (content: string, at: string, direction = "inbound") =>
      server.sql(
        "insert into messages (organization_id, chat_id, content, direction, timestamp) values ($1, $2, $3, $4, $5)",
        [organization(), chat?.id, content, direction, at],
      );
    // As the log leaves out what it knows.
    const seen = new Set<string | undefined>();
    const readAll = async (from: Parameters<typeof readFeed>[2]) => {
      let position = from;
      const told: string[] = [];
      for await (const next of readFeed(nexus, feed, from, signal)) {
        position = next.position;
        for (const { record } of next.known ?? []) seen.add(record[0]);
        for (const { data, dedupe } of next.events) {
          const id = dedupe?.record[0];
          if (!seen.has(id)) told.push((data as { state: string }).state);
          seen.add(id);
        }
      }
      return { position, told };
    };
    await add("history", "2026-11-21T10:00:00.000001Z");
    const first = await readAll(undefined);
    expect(first.told).toEqual([]);
    for (let n = 0; n < 10; n++) await add(`m${n}`, "2026-11-21T10:00:00.000002Z");
    await add("ours", "2026-11-21T10:00:01Z", "outbound");
    const second = await readAll(first.position);
    expect(second.told.toSorted()).toEqual(Array.from({ length: 10 }, (_, n) => `m${n}`));
    // Committed late, by a transaction that began before.
    await add("late", "2026-11-21T10:00:00.000001500Z");
    const third = await readAll(second.position);
    expect(third.told).toEqual(["late"]);
    expect((await readAll(third.position)).position).toEqual(third.position);
  });
});

describe("a query", () => {
  it("is encoded, so a plus stays a plus", () => {
    const path = restPath({
      table: "customers",
      select: "id",
      filters: [{ column: "phone_number", operator: "eq", value: "+201005550101" }],
    });
    expect(path).toBe("/rest/v1/customers?select=id&phone_number=eq.%2B201005550101");
  });

  it("cannot leave its table, its column or its list, whatever the values", () => {
    const path = restPath({
      table: "orders/../customers?x=1",
      select: "id",
      filters: [{ column: "id", operator: "in", value: ['1"),id.neq.("2', "&select=*"] }],
    });
    const url = new URL(path, "http://nexus.invalid");
    expect(url.pathname).toBe("/rest/v1/orders%2F..%2Fcustomers%3Fx%3D1");
    expect([...url.searchParams]).toEqual([
      ["select", "id"],
      ["id", 'in.("1\\"),id.neq.(\\"2","&select=*")'],
    ]);
  });
});
