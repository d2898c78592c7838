// An MCP server's tools as operations: what is a read, what is cached, and what a hostile list cannot do.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createCatalogue, declaredOperations, summaries } from "../../../../src/services/catalogue.ts";
import { MCP_SESSION } from "../../../../src/services/nexus/facts.ts";
import { inputOf } from "../../../../src/services/nexus/mcp/input-schema.ts";
import { PUBLISHED_READS, PUBLISHED_WRITES, readTools } from "../../../../src/services/nexus/mcp/tools.ts";
import { serve } from "../../../support/http-server.ts";
import { openTestStore, settableClock } from "../../../support/store.ts";
import { createTools, factsOf, methods, result, serveMcp, tool } from "./support.ts";

const serveTools = (tools: () => object[]) =>
  serveMcp((message, respond) => {
    if (message.method === "tools/list") respond(result(message, { tools: tools() }));
  });

test("the 41 published tools are 22 reads and 19 writes, each of one kind", () => {
  expect([PUBLISHED_READS.size, PUBLISHED_WRITES.size]).toEqual([22, 19]);
  for (const name of PUBLISHED_READS) expect(PUBLISHED_WRITES.has(name)).toBe(false);
});

test("whatever a tool claims, only published and configured reads are reads", async () => {
  const server = await serveTools(() => [
    tool("nexus_search"),
    tool("nexus_create_order"),
    tool("nexus_delete_social_post"),
    tool("brand_new", { annotations: { readOnlyHint: true } }),
    tool("echo"),
    tool("wipe", { annotations: { destructiveHint: true } }),
  ]);
  const { tools } = createTools(server.origin, await openTestStore(), { settings: { reads: ["echo"] } });
  await tools.refresh();
  const kinds = tools
    .all()
    .map(({ name, effect, idempotent, destructive }) => [
      name.slice("nexus.mcp.".length),
      effect === "read" ? "read" : destructive ? "destroys" : "write",
      idempotent,
    ]);
  expect(Object.fromEntries(kinds.map(([name, ...rest]) => [name, rest]))).toEqual({
    nexus_search: ["read", true],
    nexus_create_order: ["write", false],
    nexus_delete_social_post: ["destroys", false],
    brand_new: ["write", false],
    echo: ["read", true],
    wipe: ["destroys", false],
  });
});

test("a tool becomes a read as soon as the configuration says so", async () => {
  const server = await serveTools(() => [tool("echo")]);
  const reads: string[] = [];
  const { tools } = createTools(server.origin, await openTestStore(), { settings: { reads } });
  await tools.refresh();
  expect(tools.get("nexus.mcp.echo")?.effect).toBe("write");
  reads.push("echo");
  expect(tools.get("nexus.mcp.echo")?.effect).toBe("read");
});

describe("the list", () => {
  test("is requested at most daily, even over a restart, and known tools stay while the server is away", async () => {
    let isAway = false;
    const server = await serveMcp((message, respond) =>
      respond(
        isAway ? (response) => response.writeHead(500).end() : result(message, { tools: [tool("echo")] }),
      ),
    );
    const asked = () => methods(server).filter((method) => method === "tools/list").length;
    const clock = settableClock("2026-11-21T10:00:00Z");
    const store = await openTestStore({ clock });
    const first = createTools(server.origin, store, { clock });
    await Promise.all([first.tools.refresh(), first.tools.refresh("nexus.mcp.echo"), first.tools.refresh()]);
    await first.tools.refresh("nexus.mcp.nothing_like_it");
    expect([asked(), first.listed]).toEqual([1, [[1, 0]]]);

    const second = createTools(server.origin, store, { clock });
    await second.tools.load();
    clock.set("2026-11-22T09:59:00Z");
    await second.tools.refresh("nexus.mcp.echo");
    expect([asked(), second.tools.get("nexus.mcp.echo")?.effect]).toEqual([1, "write"]);

    isAway = true;
    clock.set("2026-11-22T10:01:00Z");
    await second.tools.refresh("nexus.mcp.echo");
    expect(second.tools.get("nexus.mcp.echo")).toBeDefined();
    const before = asked();
    // It is left alone for a while, and reports that for unknown tools.
    await expect(second.tools.refresh("nexus.mcp.other")).rejects.toMatchObject({ status: 500 });
    expect(asked()).toBe(before);
  });

  test("is read page by page, with an upper limit", async () => {
    let pages = 0;
    const server = await serveMcp((message, respond) => {
      pages += 1;
      respond(result(message, { tools: [tool(`t${pages}`)], nextCursor: `c${pages}` }));
    });
    const { tools } = createTools(server.origin, await openTestStore());
    await tools.refresh();
    expect([pages, tools.all().length]).toEqual([20, 20]);
  });

  test.each([
    ["an empty cursor", ""],
    ["the cursor of the same page", "c1"],
    ["a cursor of null", null],
  ])("ends with %s, without another request", async (_, nextCursor) => {
    let pages = 0;
    const server = await serveMcp((message, respond) => {
      pages += 1;
      const isFirst = pages === 1 && nextCursor === "c1";
      respond(result(message, { tools: [tool(`t${pages}`)], nextCursor: isFirst ? "c1" : nextCursor }));
    });
    const { tools } = createTools(server.origin, await openTestStore());
    await tools.refresh();
    expect(pages).toBe(nextCursor === "c1" ? 2 : 1);
  });

  test("does not delay the list of all operations, and a missing server does not make that fail", async () => {
    const server = await serve(() => {});
    const { tools } = createTools(server.origin, await openTestStore());
    const started = performance.now();
    await tools.refresh();
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(tools.all()).toEqual([]);
  });

  test("is empty if the tools are switched off, and says how to switch them on", async () => {
    const server = await serveTools(() => [tool("echo")]);
    const { tools } = createTools(server.origin, await openTestStore(), { settings: { isEnabled: false } });
    await tools.refresh();
    await expect(tools.refresh("nexus.mcp.echo")).rejects.toMatchObject({ code: "service_disabled" });
    expect([server.requests, tools.all()]).toEqual([[], []]);
  });
});

describe("a hostile list", () => {
  test("is bounded in number and size, and unusable entries are left out", () => {
    const deep = JSON.parse(`${'{"items":'.repeat(5000)}{}${"}".repeat(5000)}`);
    const { tools, leftOut } = readTools([
      ...[
        null,
        7,
        "x",
        [],
        {},
        { name: 7 },
        { name: "" },
        { name: "a b" },
        { name: "../x" },
        { name: "\u202ex" },
      ],
      tool("a".repeat(101)),
      tool("twice", { description: "first" }),
      tool("twice", { description: "second" }),
      tool("long", { title: "t".repeat(10_000), description: "\ud800".repeat(10_000) }),
      tool("huge", { inputSchema: { type: "object", description: "x".repeat(100_000) } }),
      tool("odd", { inputSchema: "none" }),
      tool("deep", { inputSchema: { type: "object", properties: { deep } } }),
      ...Array.from({ length: 600 }, (_, index) => tool(`t${index}`)),
    ]);
    expect(tools).toHaveLength(500);
    expect(leftOut).toBe(617 - 500);
    const byName = new Map(tools.map((one) => [one.name, one]));
    expect(byName.get("twice")?.description).toBe("first");
    expect(byName.get("long")?.title.length).toBeLessThan(250);
    expect(byName.get("long")?.description.isWellFormed()).toBe(true);
    for (const name of ["huge", "odd"])
      expect(byName.get(name)).toMatchObject({ inputSchema: { type: "object" }, isChecked: false });
    expect(byName.has("deep")).toBe(false);
  });

  test("cannot replace an operation that nexusd declares, or another service's", async () => {
    const server = await serveTools(() => [tool("read_resource", { description: "mine" }), tool("echo")]);
    const { tools } = createTools(server.origin, await openTestStore());
    const catalogue = createCatalogue(declaredOperations, tools);
    await catalogue.refresh();
    expect(catalogue.get("nexus.mcp.read_resource")?.effect).toBe("read");
    const names = catalogue.all().map(({ name }) => name);
    expect(names.filter((name) => name === "nexus.mcp.read_resource")).toHaveLength(1);
    expect(names).toEqual(names.toSorted());
    expect(names).toContain("nexus.mcp.echo");
    expect(catalogue.near("nexus.mcp.ecko")).toContain("nexus.mcp.echo");
    const listed = summaries(() => "operator", catalogue).find(({ name }) => name === "nexus.mcp.echo");
    expect(listed).toMatchObject({ approval: "operator", inputSchema: tool("echo").inputSchema });
  });
});

describe("a tool's input", () => {
  const check = (schema: object, input: unknown) => inputOf({ type: "object", ...schema }).safeParse(input);

  test("is checked against the server's schema, and stays unchanged", () => {
    const schema = {
      properties: {
        a: { type: "integer", minimum: 1 },
        b: { type: "array", items: { enum: ["x", "y"] } },
        c: { type: "string", default: "added by nobody" },
      },
      required: ["a"],
      additionalProperties: false,
    };
    const input = { a: 1, b: ["x"] };
    expect(check(schema, input).data).toBe(input);
    for (const wrong of [{}, { a: 0 }, { a: "1" }, { a: 1, b: ["z"] }, { a: 1, d: 1 }, [], null, "x"])
      expect(check(schema, wrong).success, JSON.stringify(wrong)).toBe(false);
    expect(check(schema, { a: 1, b: ["z"] }).error?.issues[0]?.path).toEqual(["b", 0]);
    expect(check({}, JSON.parse('{"__proto__":{"a":1}}')).success).toBe(false);
    expect(check(schema, { a: 9007199254740993n }).data).toEqual({ a: 9007199254740993n });
    expect(check(schema, { a: -9007199254740993n }).success).toBe(false);
  });

  test("never runs the server's patterns", () => {
    const slow = { type: "string", pattern: "^(a+)+$" };
    const schema = {
      properties: { a: slow, pattern: slow },
      patternProperties: { "^(a+)+$": { type: "string" } },
      additionalProperties: false,
      $defs: { pattern: slow },
    };
    const started = performance.now();
    expect(check(schema, { a: `${"a".repeat(60)}!`, pattern: `${"a".repeat(60)}!` }).success).toBe(true);
    expect(check(schema, { pattern: 7 }).success).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test.each([
    ["refers to itself", { properties: { a: { $ref: "#" } } }],
    ["refers to nothing", { properties: { a: { $ref: "#/$defs/none" } } }],
    ["refers to another host", { properties: { a: { $ref: "https://evil.example/schema" } } }],
    ["has an unknown type", { properties: { a: { type: "quantum" } } }],
    ["is nested too deeply", JSON.parse(`${'{"items":'.repeat(100)}{}${"}".repeat(100)}`)],
    ["has keywords of the wrong kind", { properties: 7, required: "a", anyOf: {} }],
  ])("is any object, at worst, if the schema %s", (_, schema) => {
    expect(check(schema, 7).success).toBe(false);
    expect(() => check(schema, { a: { a: {} } })).not.toThrow();
  });

  test("that cannot be checked is reported as such", () => {
    const inputSchema = { type: "object", properties: { a: { $ref: "#/$defs/none" } } };
    expect(readTools([tool("x", { inputSchema })]).tools).toMatchObject([{ isChecked: false }]);
  });
});

test("the resources are the ones that the vendor publishes", async () => {
  const operation = declaredOperations.find(({ name }) => name === "nexus.mcp.read_resource");
  for (const path of ["organization/info", "schema/contacts", "schema/conversation-intelligence"])
    expect(operation?.description).toContain(`nexus://${path}`);
  for (const uri of ["https://evil.example/", "file:///etc/passwd", "nexus://a b", "nexus://"])
    expect(operation?.input.safeParse({ uri }).success, uri).toBe(false);
  const request = operation?.request?.(
    { uri: "nexus://organization/info" },
    factsOf("https://nexus.example"),
  );
  expect(request).toMatchObject({
    origin: "https://nexus.example",
    path: "/functions/v1/mcp-server",
    json: { jsonrpc: "2.0", method: "resources/read", params: { uri: "nexus://organization/info" } },
    credential: MCP_SESSION,
  });
});

test("no MCP library is loaded before it is needed", () => {
  const source = (file: string) =>
    readFileSync(new URL(`../../../../src/services/nexus/mcp/${file}`, import.meta.url), "utf8");
  expect(source("connection.ts")).toMatch(/await import\("@modelcontextprotocol\/client"\)/);
  for (const file of ["connection.ts", "fetch.ts", "tools.ts", "source.ts", "operations.ts", "results.ts"])
    expect(source(file)).not.toMatch(/^import (?!type)[^;]*@modelcontextprotocol/m);
});
