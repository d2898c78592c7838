// The scene of the README: an agent proposes, a person approves, PostgREST shows the new row, the chain holds.

import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import { runCli } from "../support/cli.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";

const ORDER = "0c000000-0000-4000-8000-000000000001";
let nexus: NexusServer;
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  nexus = await startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
  });
  await nexus.ready;
  await nexus.sql(
    "insert into orders (id, organization_id, order_number, order_status, total_amount) values ($1, $2, 'W-1', 'pending', 10)",
    [ORDER, nexus.organizationId],
  );
  installation = install(`
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]
base_url = "${nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
[jobs.nexus-low-stock]\nenabled = false
[jobs.nexus-pending-orders]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});

afterAll(async () => {
  await daemon?.end("SIGKILL");
  await nexus?.close();
  installation?.remove();
});

const post = async (socket: string, path: string, body: unknown) => {
  const { status, text } = await ask(socket, path, { method: "POST", body });
  return { status, answer: JSON.parse(text) };
};
const propose = (orderStatus: string, more: object = {}) =>
  post(installation.agentSocket, "/v1/writes", {
    operation: "nexus.orders.update_status",
    input: { orderId: ORDER, orderStatus },
    ...more,
  });
const approve = (id: string, digest: string) =>
  post(installation.operatorSocket, `/v1/writes/${id}/approve`, { digest });
const settled = (id: string) =>
  until(async () => {
    const { text } = await ask(installation.agentSocket, `/v1/writes/${id}`);
    const write = JSON.parse(text);
    return ["succeeded", "failed", "unknown"].includes(write.state) && write;
  }, "the end of the write");
const statusOf = async () =>
  (await nexus.sql("select order_status from orders where id = $1", [ORDER]))[0]?.order_status;
const patches = () => nexus.requests.filter(({ method }) => method === "PATCH").length;

describe("a command that cannot be meant", () => {
  it.each([
    [
      ["write", "nexus.orders.update_status", `orderId=${ORDER}`, "orderStatus=done"],
      // By the schema of the operation, before anything is proposed: wrong usage.
      2,
      /one of pending, confirmed, fulfilling, shipped, delivered, cancelled, not "done"/,
    ],
    [
      ["read", "nexus.orders.get", "orderId=NX-1005"],
      1,
      /UUID.*looks like an orderNumber: nexus\.orders\.list orderNumber=NX-1005/,
    ],
  ])("%j is refused with a correction, and nothing is proposed or sent", async (args, exit, why) => {
    const before = nexus.requests.length;
    const { code, stdout, stderr } = await runCli(args, {
      NEXUSD_AGENT_SOCKET: installation.agentSocket,
      NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
    });
    expect({ code, stderr }).toStrictEqual({ code: exit, stderr: expect.stringMatching(why) });
    if (exit === 1) expect(JSON.parse(stdout)).toMatchObject({ code: "invalid_input" });
    const { text } = await ask(installation.agentSocket, "/v1/writes");
    expect(text).not.toContain("done");
    expect(nexus.requests.slice(before).filter(({ method }) => method === "PATCH")).toEqual([]);
  });
});

describe("a confirmed write", () => {
  it("is executed as shown, once, and only after a person's approval", async () => {
    const { status, answer } = await propose("confirmed", { reason: "paid", agent: "bookkeeper" });
    expect(status).toBe(202);
    expect(answer.preview).toMatchObject({ method: "PATCH", body: '{"order_status":"confirmed"}' });
    const own = await post(installation.agentSocket, `/v1/writes/${answer.id}/approve`, {
      digest: answer.digest,
    });
    expect([own.status, own.answer.code]).toEqual([403, "operator_only"]);
    expect(await statusOf()).toBe("pending");

    const wrong = await approve(answer.id, "0".repeat(64));
    expect([wrong.status, wrong.answer.code]).toEqual([409, "digest_mismatch"]);
    const approvals = await Promise.all([1, 2, 3, 4].map(() => approve(answer.id, answer.digest)));
    expect(approvals.map((one) => one.status).sort()).toEqual([200, 409, 409, 409]);
    expect((await settled(answer.id)).state).toBe("succeeded");
    expect(await statusOf()).toBe("confirmed");
    expect(patches()).toBe(1);
    const steps = (await readLog(installation.agentSocket)).filter(({ data }) => data.writeId === answer.id);
    expect(steps.map(({ data }) => data.state)).toEqual(["proposed", "approved", "executing", "succeeded"]);
  });

  it("fails as stale if the order has changed since it was shown", async () => {
    const { answer } = await propose("shipped");
    await nexus.sql("update orders set order_status = 'cancelled' where id = $1", [ORDER]);
    await approve(answer.id, answer.digest);
    const write = await settled(answer.id);
    expect([write.state, write.result.error.code]).toEqual(["failed", "stale"]);
    expect(await statusOf()).toBe("cancelled");
    expect(patches()).toBe(1);
  });

  it("whose answer was lost is resolved by reading back, and not repeated", async () => {
    const { answer } = await propose("confirmed", { idempotencyKey: "lost" });
    const again = await propose("confirmed", { idempotencyKey: "lost" });
    expect([again.status, again.answer.id]).toEqual([200, answer.id]);
    nexus.addFault({ kind: "drop", match: "PATCH", afterHandling: true });
    await approve(answer.id, answer.digest);
    expect((await settled(answer.id)).state).toBe("succeeded");
    expect(patches()).toBe(2);
  });

  it("that was rejected cannot be proposed again right away, and the agent can read why", async () => {
    const { answer } = await propose("delivered");
    await post(installation.operatorSocket, `/v1/writes/${answer.id}/reject`, {
      reason: "not before it arrives",
    });
    const back = await propose("delivered");
    expect([back.status, back.answer.code]).toEqual([409, "recently_rejected"]);
    expect(back.answer.detail).toContain("not before it arrives");
  });

  it("keeps waiting for its decision through a SIGKILL", async () => {
    const { answer } = await propose("fulfilling");
    await daemon.end("SIGKILL");
    daemon = startDaemon(installation);
    await daemon.ready;
    await approve(answer.id, answer.digest);
    expect((await settled(answer.id)).state).toBe("succeeded");
    expect(await statusOf()).toBe("fulfilling");
  });

  it("leaves a record that cannot be changed unnoticed", async () => {
    const verify = async () => JSON.parse((await ask(installation.operatorSocket, "/v1/audit/verify")).text);
    expect(await verify()).toMatchObject({ ok: true });
    const database = new Database(join(installation.dataDir, "nexusd.db"));
    const triggers = database
      .prepare("select name from sqlite_schema where type = 'trigger' and tbl_name = 'audit'")
      .pluck()
      .all();
    for (const trigger of triggers) database.exec(`drop trigger "${trigger}"`);
    database.prepare("update audit set detail = replace(detail, 'paid', 'gift') where sequence = 1").run();
    database.close();
    expect(await verify()).toMatchObject({ ok: false, brokenAt: { sequence: 1 } });
  });

  it("a policy that makes everything automatic is reported at startup", async () => {
    const everything = install(
      '[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n[approvals.policy]\n"*" = "auto"\n"nexus.*" = "auto"\n"nex.*" = "auto"\n"messaging.*" = "auto"\n',
    );
    const other = startDaemon(everything);
    await other.ready;
    expect(other.log()).toMatch(/"level":"warn".*every write automatic/);
    await other.end("SIGTERM");
    everything.remove();
  });
});
