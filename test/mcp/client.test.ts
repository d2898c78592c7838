// The MCP server as the official client of both revisions sees it, on the real daemon.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../support/daemon.ts";
import { connect, ERAS, openScene, type Scene } from "./scene.ts";

const TOOLS = [
  ...["events_read", "events_ack", "events_wait", "sessions_list", "messages_read", "messages_send"],
  ...["insights_search", "operations_find", "operations_describe", "read", "propose", "writes_get"],
];

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await until(
    async () => (await scene.nexusd.sessions()).sessions[0]?.state === "joined",
    "the session to be joined",
  );
});
afterAll(() => scene.close());

const hear = (text: string) => scene.messaging.post(scene.sessionId, "peer", { text });

/** A Nex record, created by a write that is approved here. @returns its id */
async function makeRecord(name: string): Promise<string> {
  const { nexusd } = scene;
  const input = { objectSlug: "person", attributes: { name } };
  const { id, digest } = await nexusd.propose({ operation: "nex.records.create", input });
  await nexusd.writes.approve(id, { digest });
  const { result } = await nexusd.waitUntilFinal(id, { waitMs: 20_000 });
  const [found] = JSON.stringify(result).match(/(?<="id":")[^"]+/) ?? [];
  if (found === undefined) throw new Error(`no id in ${JSON.stringify(result)}`);
  return found;
}

describe.each(ERAS)("in revision %s", (era) => {
  test("speaks that revision, and has twelve tools with schemas, titles and annotations", async () => {
    const { client } = await connect(scene.installation, era);
    expect(client.getNegotiatedProtocolVersion()).toBe(era);
    expect(client.getServerVersion()).toMatchObject({ name: "nexusd" });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(TOOLS);
    for (const tool of tools) {
      expect(tool.description?.length, tool.name).toBeGreaterThan(20);
      expect(tool.annotations, tool.name).toMatchObject({ readOnlyHint: expect.any(Boolean) });
      expect(tool.outputSchema, tool.name).toMatchObject({ type: "object" });
    }
    const changing = tools.filter(({ annotations }) => !annotations?.readOnlyHint);
    expect(changing.map(({ name }) => name)).toEqual(["events_ack", "messages_send", "propose"]);
    expect(tools.find(({ name }) => name === "propose")?.annotations).toMatchObject({
      destructiveHint: true,
    });
  });

  test("reads new events, answers one, acknowledges them, and does not get them again", async () => {
    const { call } = await connect(scene.installation, era, "--consumer", `reader-${era}`);
    expect((await call("events_read")).value).toMatchObject({ consumer: `reader-${era}`, events: [] });
    const asked = `what is the time? (${era})`;
    hear(asked);
    const waited = await call("events_wait", { timeoutSeconds: "20" });
    expect(waited.value).toMatchObject({ pending: 1, types: { "nexusd.messaging.message.received": 1 } });
    const { value } = await call("events_read", { limit: "5" });
    expect(value.events).toMatchObject([
      { type: "nexusd.messaging.message.received", untrusted: { data: { text: asked, agentId: "peer" } } },
    ]);
    const answer = await call("messages_send", { session: "ops", text: `noon (${era})` });
    expect(answer.value).toMatchObject({ operation: "messaging.messages.send", state: "succeeded" });
    const acked = await call("events_ack", { sequence: String(value.next) });
    expect(acked.value).toMatchObject({ position: value.next });
    const rest = await call("events_read");
    expect(JSON.stringify(rest.value)).not.toContain(asked);
    const read = await call("messages_read", { session: "ops", limit: 100 });
    expect(read.value.messages.at(-1)).toMatchObject({ untrusted: { text: asked } });
  });

  test("refuses to acknowledge what was never read, with a remedy", async () => {
    const { call } = await connect(scene.installation, era, "--consumer", `eager-${era}`);
    const { value: before } = await call("events_read");
    hear("unread");
    await call("events_wait", { timeoutSeconds: 20 });
    const refused = await call("events_ack", { sequence: before.next + 1 });
    expect(refused).toMatchObject({
      isError: true,
      value: { error: { code: "ack_out_of_order", mayPass: false }, note: expect.any(String) },
    });
  });

  test("a repeated proposal is the same write; a destructive one is marked", async () => {
    const { call } = await connect(scene.installation, era, "--consumer", `writer-${era}`);
    const found = await call("operations_find", { query: "delete a contact from the CRM", effect: "write" });
    expect(found.value.operations[0]).toMatchObject({ name: "nex.records.delete", destructive: true });
    const described = await call("operations_describe", { operation: "nex.records.delete" });
    expect(described.value.inputSchema).toMatchObject({ properties: { recordId: { type: "string" } } });
    const input = { recordId: await makeRecord(`Gone ${era}`) };
    const proposal = { operation: "nex.records.delete", input, reason: "asked for by the owner" };
    const first = await call("propose", proposal);
    expect(first.value).toMatchObject({
      ...{ state: "proposed", destructive: true, isRepeated: false, isFinal: false, approval: "operator" },
      ...{ warning: expect.stringContaining("deletes permanently"), next: expect.stringContaining("person") },
    });
    // As a string, the way models write an object, and in another order.
    const again = await call("propose", { ...proposal, input: JSON.stringify(input) });
    expect(again.value).toMatchObject({ id: first.value.id, isRepeated: true });
    const other = await call("propose", { ...proposal, idempotencyKey: `mine-${era}` });
    expect(other.value.id).not.toBe(first.value.id);
    const looked = await call("writes_get", { id: first.value.id, waitSeconds: 1 });
    expect(looked.value).toMatchObject({ id: first.value.id, state: "proposed" });
    const { reason, agent } = await scene.nexusd.writes.get(first.value.id);
    expect({ reason, agent }).toEqual({ reason: "asked for by the owner", agent: `writer-${era}` });
  });

  test("a missing daemon is a readable error, and the server stays alive", async () => {
    const { call } = await connect(scene.installation, era, "--consumer", `patient-${era}`);
    await call("events_read");
    await scene.kill();
    for (const [name, input] of [
      ["events_read", {}],
      ["sessions_list", {}],
      ["writes_get", { id: "x" }],
    ] as const)
      expect(await call(name, input)).toMatchObject({
        isError: true,
        value: { error: { mayPass: true, remedy: expect.stringContaining("daemon is away") } },
      });
    await scene.start();
    expect(await call("events_read")).toMatchObject({ isError: false });
  });

  test("each consumer is a resource, with a notification when it has new events", async () => {
    const name = `followed-${era}`;
    const { client, call } = await connect(scene.installation, era, "--consumer", name);
    await call("events_read");
    const uri = `nexusd://consumers/${name}`;
    expect((await client.listResources()).resources.map((one) => one.uri)).toContain(uri);
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([
      { uriTemplate: "nexusd://consumers/{name}" },
    ]);
    const updated: string[] = [];
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
      updated.push(params.uri);
    });
    const subscription =
      era === "2026-07-28" ? await client.listen({ resourceSubscriptions: [uri] }) : undefined;
    if (!subscription) await client.subscribeResource({ uri });
    // The watch begins with a reading of its own: what comes after it is new.
    await until(async () => {
      hear("news");
      await new Promise((resolve) => setTimeout(resolve, 100));
      return updated.includes(uri);
    }, "the resource to be updated");
    const { contents } = await client.readResource({ uri });
    const [content] = contents;
    const shown = JSON.parse(content && "text" in content ? content.text : "");
    expect(shown).toMatchObject({ consumer: name, summary: expect.stringContaining("for the consumer") });
    if (subscription) await subscription.close();
    else await client.unsubscribeResource({ uri });
  });

  test("an unknown request is refused in words", async () => {
    const { client, call } = await connect(scene.installation, era);
    expect(await call("events_read")).toMatchObject({
      isError: true,
      value: { error: { code: "no_consumer" } },
    });
    expect(await call("events_read", { limit: "many" })).toMatchObject({
      isError: true,
      value: {
        error: {
          code: "invalid_arguments",
          message: expect.stringContaining("limit must be an integer from 1 to 500"),
        },
      },
    });
    expect(await call("operations_describe", { name: "nex.records.delete" })).toMatchObject({
      isError: true,
      value: {
        error: {
          code: "invalid_arguments",
          message:
            "operations_describe: operation is missing: must be a text of 1 to 200 characters; name is no argument of this tool. It takes operation, offset.",
        },
      },
    });
    expect(await call("operations_describe", { operation: "nex.record.delete" })).toMatchObject({
      isError: true,
      value: { error: { message: expect.stringContaining("nex.records.delete") } },
    });
    await expect(client.callTool({ name: "nothing", arguments: {} })).rejects.toThrow();
    await expect(client.readResource({ uri: "nexusd://consumers/nobody" })).rejects.toThrow();
  });
});
