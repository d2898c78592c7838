// The real daemon on a database changed by an attacker.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { createAuditWatch } from "../../src/daemon/audit-watch.ts";
import { ask, install, startDaemon } from "../support/daemon.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openTestStore } from "../support/store.ts";
import { propose } from "../support/stored-write.ts";

const json = async (...call: Parameters<typeof ask>) => JSON.parse((await ask(...call)).text);

/** A service that accepts every request, and counts writes. */
const startService = async () => {
  const received: string[] = [];
  const server = createServer((request, response) => {
    if (request.method === "POST" && request.url?.includes("/objects")) received.push(request.url);
    response.writeHead(404, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // Listening on a port, it has one.
  return { received, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};

test("a write approved by SQL alone is not sent, and health, log and metric report that the database was changed", async () => {
  const service = await startService();
  const installation = install(
    `[messaging]\nenabled = false\n[nexus]\nenabled = false\n[nex]\nbase_url = "${service.origin}"\n` +
      'api_key = { source = "env", id = "NEX_API_KEY" }\n',
  );
  onTestFinished(installation.remove);
  let daemon = startDaemon(installation);
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
  });
  await daemon.ready;
  const proposal = {
    operation: "nex.objects.create",
    input: { name: "Vessel", slug: "vessel", type: "company" },
    reason: "wanted",
  };
  const body = await json(installation.agentSocket, "/v1/writes", { method: "POST", body: proposal });
  expect(body.state).toBe("proposed");
  await daemon.end("SIGTERM");

  const db = new Database(join(installation.dataDir, "nexusd.db"));
  db.prepare("UPDATE writes SET state = 'approved', approval_order = 2, decided_at = ? WHERE id = ?").run(
    new Date().toISOString(),
    body.id,
  );
  db.close();

  daemon = startDaemon(installation);
  await daemon.ready;
  const settled = await expect
    .poll(() => json(installation.agentSocket, `/v1/writes/${body.id}`), { timeout: 30_000 })
    .toMatchObject({ state: "failed", result: { error: { code: "not_approved" } } })
    .then(() => json(installation.agentSocket, `/v1/writes/${body.id}`));
  expect(settled.result.error.message).toMatch(/^Nothing was sent: .*from proposed to executing/);
  expect(service.received).toEqual([]);

  const verdict = await json(installation.operatorSocket, "/v1/audit/verify");
  expect(verdict).toMatchObject({ ok: false, changed: [{ writeId: body.id }] });
  const health = await json(installation.agentSocket, "/v1/health");
  expect(health.status).toBe("degraded");
  expect(health.reasons).toContainEqual({ code: "audit", detail: expect.stringMatching(/was changed/) });
  expect((await ask(installation.operatorSocket, "/metrics")).text).toMatch(/^nexusd_audit_intact 0$/m);
  expect(daemon.log()).toMatch(/"level":"error".*the audit log was changed: The writes are not as/);
  // Outside the database: the head of the first start is in a log that the attacker cannot reach.
  expect(daemon.log()).toMatch(/"head":"[0-9a-f]{64}".*"msg":"the head of the audit log"/);
});

test("the audit log is verified hourly and its head noted daily; a fault and its repair are each reported once", async () => {
  const clock = createFakeClock();
  const store = await openTestStore({ clock });
  await propose(store);
  const lines: unknown[] = [];
  const watch = createAuditWatch({
    store: {
      verifyAudit: async (head) => ({
        ...(await store.verifyAudit(head)),
        ...(broken && { ok: false, ...broken }),
      }),
    },
    clock,
    log: {
      info: (...line: unknown[]) => lines.push(line.at(-1)),
      error: (...line: unknown[]) => lines.push(line.at(-1)),
    },
  });
  let broken: { brokenAt: { sequence: number; why: string } } | undefined;
  expect(watch.status()).toEqual({ state: "unknown", why: null, verifiedAt: null });
  const stop = new AbortController();
  const running = watch.run(stop.signal);
  await expect.poll(() => watch.status().state).toBe("ok");
  expect(lines).toEqual(["the head of the audit log"]);
  for (let hour = 1; hour <= 23; hour++) await clock.advance(3_600_000);
  expect(lines).toHaveLength(1);
  await clock.advance(3_600_000);
  await expect.poll(() => lines).toHaveLength(2);

  broken = { brokenAt: { sequence: 1, why: "changed" } };
  await clock.advance(3_600_000);
  await expect
    .poll(() => watch.status())
    .toMatchObject({ state: "broken", why: expect.stringMatching(/row 1/) });
  await clock.advance(3_600_000);
  broken = undefined;
  await expect.poll(() => lines.length).toBe(3);
  // What an operator looks for is no state of the log.
  expect((await watch.verify("1".repeat(64))).ok).toBe(false);
  expect(watch.status().state).toBe("ok");
  expect(lines.slice(2)).toEqual([
    expect.stringMatching(/^the audit log was changed: The chain is broken at row 1: changed\. /),
    "the audit log verifies again",
  ]);
  stop.abort();
  await running;
});
