// What is long of a finished write goes after a while: what is left says so, verifies, and still does what it did.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import type { WriteState } from "../../src/contract/writes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { testSqlite } from "../support/adapters.ts";
import { openStore } from "../support/open-store.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import {
  AGENT,
  approval,
  NEXUSD,
  NO_REJECTION,
  propose,
  proposedWrite,
  rejection,
  t,
} from "../support/stored-write.ts";

const REMOVER = fileURLToPath(new URL("../support/body-remover.ts", import.meta.url));
const LATER = t(1_000_000);
const SECRET = "a text that nobody needs any more";

/** One write in each state, each with the same text in it. */
async function oneOfEach(store: Store): Promise<Record<WriteState, string>> {
  const ids: Partial<Record<WriteState, string>> = {};
  const make = async (state: WriteState, ...path: WriteState[]) => {
    const { id } = await propose(store, {
      ...{ input: { text: `${SECRET} ${state}` }, target: state, precondition: JSON.stringify(SECRET) },
    });
    ids[state] = id;
    let from: WriteState = "proposed";
    for (const to of path) {
      if (to === "executing") await store.claimNextWrite(NEXUSD, t(2));
      else
        await store.transitionWrite({
          ...(to === "approved" ? approval(id) : rejection(id, "why")),
          ...{ from, to },
          ...(to === "succeeded" && { patch: { finishedAt: t(3), result: { output: SECRET } } }),
          ...(to === "failed" && { patch: { finishedAt: t(3), result: { error: ERROR, output: SECRET } } }),
        });
      from = to;
    }
  };
  await make("succeeded", "approved", "executing", "succeeded");
  await make("failed", "approved", "executing", "failed");
  await make("unknown", "approved", "executing", "unknown");
  await make("resolved", "approved", "executing", "unknown", "resolved");
  await make("executing", "approved", "executing");
  await make("rejected", "rejected");
  await make("cancelled", "cancelled");
  await make("expired", "expired");
  await make("approved", "approved");
  await make("proposed");
  return ids as Record<WriteState, string>; // one of each was made
}

const ERROR = { code: "refused", message: "not now" };
const FINISHED: WriteState[] = ["succeeded", "failed", "rejected", "expired", "cancelled", "resolved"];
const OPEN: WriteState[] = ["proposed", "approved", "executing", "unknown"];

test("finished writes lose their bodies and keep the rest; open and unknown ones stay whole", async () => {
  const store = await openTestStore();
  const ids = await oneOfEach(store);
  const read = async (state: WriteState) => (await store.readWrite(ids[state])) ?? expect.fail("it is gone");
  const before = Object.fromEntries(
    await Promise.all([...FINISHED, ...OPEN].map(async (state) => [state, await read(state)] as const)),
  );
  expect(await store.removeBodies(LATER, t(9))).toEqual({ removed: FINISHED.length });
  expect(await store.removeBodies(LATER, t(10))).toEqual({ removed: 0 });
  for (const state of OPEN) expect(await read(state)).toEqual(before[state]);
  for (const state of FINISHED)
    expect(await read(state)).toEqual({
      ...before[state],
      ...{ request: "", precondition: null, bodyRemovedAt: t(9) },
      preview: { method: "REMOVED", url: "", headers: [], body: null },
      result: state === "failed" ? { error: ERROR } : null,
    });
  const rows = await store.readAudit({ limit: 1000, writeId: ids.succeeded });
  expect(rows.at(-1)).toMatchObject({ action: "body_removed", at: t(9), actor: NEXUSD });
  expect(await store.verifyAudit()).toMatchObject({ ok: true, changedCount: 0 });
});

test("only what finished before the given time is touched", async () => {
  const store = await openTestStore();
  const first = await propose(store);
  await store.transitionWrite(rejection(first.id, "no", t(10)));
  const second = await propose(store);
  await store.transitionWrite(rejection(second.id, "no", t(20)));
  expect(await store.removeBodies(t(20), t(30))).toEqual({ removed: 1 });
  expect(await store.readWrite(first.id)).toMatchObject({ bodyRemovedAt: t(30) });
  expect(await store.readWrite(second.id)).toEqual((await store.readWrites({ limit: 1 }))[0]);
  expect(await store.readWrite(second.id)).toMatchObject({ bodyRemovedAt: null });
});

testSqlite("a removed text is in no file of the database after a checkpoint", async () => {
  const dataDir = temporaryDirectory();
  const store = await openStore({ dataDir, clock: systemClock });
  const { id } = await propose(store, { input: { text: SECRET } });
  await store.transitionWrite(rejection(id, "no"));
  await store.removeBodies(LATER, t(9));
  await store.close();
  expect(readFileSync(join(dataDir, "nexusd.db")).includes(SECRET)).toBe(false);
});

test("rejections and idempotency keys still work", async () => {
  const store = await openTestStore();
  const write = await propose(store, { input: 1, idempotencyKey: "key" });
  await store.transitionWrite(rejection(write.id, "no"));
  await store.removeBodies(LATER, t(9));
  const again = (input: number, idempotencyKey: string | null, rejectedSince = t(0)) =>
    store.proposeWrite(proposedWrite({ input, idempotencyKey }), AGENT, { ...NO_REJECTION, rejectedSince });
  expect(await again(1, "key")).toMatchObject({ kind: "existing", write: { id: write.id } });
  expect(await again(2, "key")).toMatchObject({ kind: "idempotency_conflict" });
  expect(await again(1, null)).toMatchObject({ kind: "recently_rejected", write: { note: "no" } });
});

testSqlite(
  "the database allows removing a body only as a whole, once, and from a finished write",
  async () => {
    const dataDir = temporaryDirectory();
    const store = await openTestStore({ dataDir });
    const ids = await oneOfEach(store);
    const db = new Database(join(dataDir, "nexusd.db"));
    try {
      const set = (state: WriteState, sql: string) => () =>
        db.prepare(`UPDATE writes SET ${sql} WHERE id = ?`).run(ids[state]);
      const gone =
        "request = '', preview = '{}', precondition = NULL, body_removed_at = '2026-03-01T12:00:00.000Z'";
      for (const state of OPEN) expect(set(state, gone), state).toThrow(/only removed where it is finished/);
      for (const state of FINISHED) expect(set(state, "request = '{}'"), state).toThrow(/never changed/);
      expect(set("failed", gone.replace("''", "'{}'"))).toThrow(/never changed/);
      await store.removeBodies(LATER, t(9));
      expect(set("failed", "body_removed_at = NULL")).toThrow(/never changed/);
      expect(set("failed", "request = '{}'")).toThrow(/never changed/);
    } finally {
      db.close();
    }
  },
);

test("a SIGKILL while bodies are removed leaves each write with all of its body or none, and a chain that verifies", async () => {
  const dataDir = temporaryDirectory();
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [REMOVER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = new Promise((resolve) => child.on("close", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const kill = setTimeout(() => child.kill("SIGKILL"), Math.random() * 60);
    await closed;
    clearTimeout(kill);
    const store = await openStore({ dataDir, clock: systemClock });
    try {
      expect(await store.verifyAudit()).toMatchObject({ ok: true, changedCount: 0 });
      for (const { request, preview, bodyRemovedAt } of await store.readWrites({ limit: 10_000 }))
        expect([request === "", preview.method === "REMOVED"]).toEqual(
          bodyRemovedAt === null ? [false, false] : [true, true],
        );
    } finally {
      await store.close();
    }
  }
});
