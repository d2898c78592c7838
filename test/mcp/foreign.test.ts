// Foreign text is in the fields marked for it, and nowhere else; and no answer is longer than a model can take.

import { Client } from "@modelcontextprotocol/client";
import { InMemoryTransport } from "@modelcontextprotocol/server";
import { expect, onTestFinished, test } from "vitest";
import type { Client as Nexusd } from "../../src/client/client.ts";
import { NexusdError } from "../../src/client/error.ts";
import { createMcpServer } from "../../src/mcp/server.ts";
import fc from "../support/fc.ts";

const LIMIT = 40_000;

/** An MCP client of the server, in this process, over a scripted daemon. */
async function connect(nexusd: object) {
  const server = createMcpServer({
    client: nexusd as Nexusd, // of which a test needs only what its tools call
    ...{ consumer: "me", version: "1" },
    watch: { follow: () => {}, unfollow: () => {} },
  });
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: "test", version: "1" });
  await server.connect(ours);
  await client.connect(theirs);
  onTestFinished(() => client.close());
  return {
    client,
    call: async (name: string, input: Record<string, unknown> = {}) => {
      const answer = await client.callTool({ name, arguments: input });
      const [content] = answer.content;
      const text = content?.type === "text" ? content.text : "";
      expect(Buffer.byteLength(text), name).toBeLessThanOrEqual(LIMIT);
      if (answer.structuredContent) expect(JSON.parse(text)).toEqual(answer.structuredContent);
      return JSON.parse(text);
    },
  };
}

const event = (sequence: number, foreign: string, data: unknown = { [foreign]: foreign, text: foreign }) => ({
  ...{ specversion: "1.0", id: "01", datacontenttype: "application/json", sequence: `${sequence}` },
  ...{ type: "nexusd.messaging.message.received", time: "2026-03-01T00:00:00.000Z" },
  ...{ source: `/messaging/sessions/${foreign}`, subject: foreign, data },
});

const page = (events: object[]) => ({
  ...{ epoch: "e", events, next: events.length, oldest: 1, latest: events.length, gap: null },
});

/** A daemon in which every field from outside contains `foreign`. */
const hostile = (foreign: string) => {
  const write = {
    ...{ id: "w", operation: "nex.records.delete", service: "nex", state: "failed", destructive: true },
    ...{ input: { [foreign]: foreign }, request: foreign, digest: "d", target: foreign, agent: foreign },
    ...{ preview: { method: "POST", url: foreign, headers: [], body: foreign }, precondition: foreign },
    ...{
      approval: "operator",
      reason: foreign,
      proposedAt: "t",
      expiresAt: "t",
      finishedAt: "t",
      note: null,
    },
    result: { output: { [foreign]: foreign }, error: { code: foreign, message: foreign }, remedy: foreign },
  };
  const detail = {
    ...{ name: "me", position: 0, types: null, isBound: false },
    pending: { count: 1, isMore: false, oldest: 1, newest: 1, oldestAt: "t", types: { [foreign]: 1 } },
  };
  return {
    consumers: {
      get: async () => detail,
      read: async () => page([event(1, foreign)]),
      ack: async () => detail,
      list: async () => ({ consumers: [{ name: "me" }], next: null }),
    },
    readEvents: async () => page([event(1, foreign)]),
    sessions: async () => ({
      sessions: [
        {
          ...{ sessionId: foreign, alias: foreign, agentId: foreign, members: [foreign], isCreator: false },
          ...{ state: "joined", reason: { code: foreign, message: foreign }, baseUrl: foreign },
          ...{ lastPolledAt: null, expiresAt: null },
        },
      ],
    }),
    messages: async () => ({
      ...page([]),
      messages: [{ sequence: 1, time: "t", text: foreign, agentId: foreign, [foreign]: foreign }],
    }),
    insights: async () => ({
      insights: [{ sequence: 1, time: "t", insight: { [foreign]: foreign } }],
      isCut: false,
    }),
    operations: async () => [
      {
        ...{ name: "nexus.mcp.tool", service: "nexus", effect: "write", approval: "operator" },
        ...{ title: foreign, description: `tool ${foreign}`, describedBy: "service" },
        ...{ idempotent: false, destructive: false, inputSchema: { properties: { [foreign]: {} } } },
      },
    ],
    read: async () => {
      throw new NexusdError({
        ...{ title: foreign, status: 502, detail: foreign, code: "service_error", serviceCode: foreign },
        errors: [{ path: foreign, message: foreign }],
      });
    },
    writes: { get: async () => write, waitUntilFinal: async () => write },
  };
};

const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["events_read", {}],
  ["events_read", { after: 0 }],
  ["events_ack", { sequence: 1 }],
  ["events_wait", {}],
  ["sessions_list", {}],
  ["messages_read", { session: "x" }],
  ["insights_search", {}],
  ["operations_find", { query: "tool" }],
  ["operations_describe", { operation: "nexus.mcp.tool" }],
  ["read", { operation: "x" }],
  ["writes_get", { id: "w" }],
];

/** The places outside the marked fields that contain `foreign`. */
function strayed(value: unknown, foreign: string, path = ""): string[] {
  if (typeof value === "string") return value.includes(foreign) ? [path] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "untrusted"
      ? []
      : [...(key.includes(foreign) ? [`${path}.${key}`] : []), ...strayed(inner, foreign, `${path}.${key}`)],
  );
}

test("foreign text is in the fields named untrusted and nowhere else, whatever it says", async () => {
  const texts = fc.string({ unit: "binary", maxLength: 40 }).map((text) => `~mark~${text}`);
  await fc.assert(
    fc.asyncProperty(texts, async (foreign) => {
      const { call, client } = await connect(hostile(foreign));
      for (const [name, input] of CALLS) {
        const answer = await call(name, input);
        expect(strayed(answer, "~mark~"), name).toEqual([]);
        if (JSON.stringify(answer).includes("~mark~")) expect(answer.note, name).toContain("data of unknown");
      }
      const { resources } = await client.listResources();
      const read = await client.readResource({ uri: resources[0]?.uri ?? "" });
      expect(JSON.stringify([resources, read])).not.toContain("~mark~");
    }),
    { numRuns: 25 },
  );
});

test("a list that is too long is cut, and says where to continue", async () => {
  const all = Array.from({ length: 200 }, (_, at) => event(at + 1, "x", { text: "ä".repeat(300) }));
  const { call } = await connect({
    readEvents: async ({ after = 0, limit = 50 }) => {
      const events = all.slice(after, after + limit);
      return { ...page(events), next: after + events.length, latest: 200 };
    },
  });
  const read: number[] = [];
  for (let after = 0; after < 200; ) {
    const { events, next, more } = await call("events_read", { after, limit: 200 });
    read.push(...events.map(({ sequence }: { sequence: number }) => sequence));
    if (next < 200) expect(more).toContain(`after=${next}`);
    after = next;
  }
  expect(read).toEqual(all.map((_, at) => at + 1));
});

test("a single object that is too long comes in parts, which add up to the whole", async () => {
  const data = { text: `${'\\"\n\u0001é€😀'.repeat(9000)}`, big: 12345678901234567890n };
  const output = { rows: Array.from({ length: 3000 }, (_, id) => ({ id, name: `row "${id}"` })) };
  const { call } = await connect({
    readEvents: async () => ({ ...page([event(1, "x", data)]), latest: 5 }),
    read: async () => ({ output }),
  });
  const collect = async (name: string, input: object, partOf: (answer: never) => unknown) => {
    let text = "";
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const answer = await call(name, { ...input, offset });
      const part = partOf(answer as never) as { jsonPart: string; offset: number; length: number };
      expect(part).toMatchObject({ offset });
      text += part.jsonPart;
      const next = /offset=(\d+)/.exec(answer.more ?? "")?.[1];
      expect(next === undefined).toBe(text.length === part.length);
      offset = next === undefined ? undefined : Number(next);
    }
    return text;
  };
  const read = await collect(
    "read",
    { operation: "x" },
    ({ untrusted }: { untrusted: { output: unknown } }) => untrusted.output,
  );
  expect(JSON.parse(read)).toEqual(output);
  const events = await collect(
    "events_read",
    { after: 0, limit: 1 },
    (answer: { events: { untrusted: { data: unknown } }[] }) => answer.events[0]?.untrusted.data,
  );
  expect(events).toContain("12345678901234567890");
  expect(JSON.parse(events).text).toBe(data.text);
});

test("integers beyond the doubles keep their digits, as strings", async () => {
  const { call } = await connect({ read: async () => ({ output: { id: 48066188026052611n } }) });
  expect((await call("read", { operation: "x" })).untrusted).toEqual({ output: { id: "48066188026052611" } });
});
