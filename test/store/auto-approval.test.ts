// A proposal that its policy approves is stored approved, or not at all.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Actor } from "../../src/contract/actor.ts";
import { testSqlite } from "../support/adapters.ts";
import { fillDisk, openTestStore, smallDisk } from "../support/store.ts";
import { AGENT, NO_REJECTION, propose, proposedWrite, t } from "../support/stored-write.ts";

const POLICY: Actor = { via: "policy", user: null };
const AUTO = { ...NO_REJECTION, approveBy: POLICY };

test("a proposal and its approval by the policy are two events and two audit rows of one commit", async () => {
  const store = await openTestStore();
  const commits: number[] = [];
  store.onAppend((latest) => commits.push(latest));
  const result = await store.proposeWrite(proposedWrite({ approval: "auto" }), AGENT, AUTO);
  expect(result).toMatchObject({ kind: "created", write: { state: "approved", decidedBy: POLICY } });
  expect(commits, "one commit with both events").toEqual([2]);
  const rows = await store.readAudit({ limit: 10 });
  expect(rows.map(({ action, actor }) => [action, actor])).toEqual([
    ["proposed", AGENT],
    ["approved", POLICY],
  ]);
  expect(await store.countWrites()).toMatchObject({ proposed: 0, approved: 1 });
  expect(await store.verifyAudit()).toMatchObject({ ok: true });
  expect((await store.claimNextWrite({ via: "nexusd", user: null }, t(1)))?.id).toBe(rows[0]?.writeId);
});

test("a repeated proposal returns the existing write unchanged: the first one decided how it is approved", async () => {
  const store = await openTestStore();
  const open = await propose(store, { approval: "auto", idempotencyKey: "k", input: {} });
  const repeated = proposedWrite({ approval: "auto", idempotencyKey: "k", input: {} });
  expect(await store.proposeWrite(repeated, AGENT, AUTO)).toEqual({ kind: "existing", write: open });
});

testSqlite(
  "on a full disk a failed proposal is not stored, whichever of its commits found no room",
  async ({ skip }) => {
    const disk = smallDisk(skip, "3m");
    const store = await openTestStore({ dataDir: join(disk.directory, "data") });
    const ballast = join(disk.directory, "ballast");
    fillDisk(ballast);
    const offered: { key: string; isTaken: boolean }[] = [];
    // What is left in the log's own files takes some; each size ends at another place of a commit.
    for (let n = 0; n < 60; n++) {
      const key = `key-${n}`;
      const write = proposedWrite({
        approval: "auto",
        idempotencyKey: key,
        input: { text: "x".repeat(40_000 + n * 977) },
      });
      const isTaken = await store.proposeWrite(write, AGENT, AUTO).then(
        (result) => "write" in result && result.write.state === "approved",
        () => false,
      );
      offered.push({ key, isTaken });
    }
    expect(
      offered.some(({ isTaken }) => !isTaken),
      "the disk was full",
    ).toBe(true);
    rmSync(ballast);

    const key = { operation: "nexus.orders.update_status", agent: null };
    for (const { key: given, isTaken } of offered) {
      const found = await store.readWriteByIdempotencyKey({ ...key, key: given });
      expect([given, found?.state], "approved, or not there").toEqual([
        given,
        isTaken ? "approved" : undefined,
      ]);
    }
    expect(await store.countWrites()).toMatchObject({ proposed: 0 });
    // The agent was told 503 and repeats it: then it is there once.
    const lost = offered.find(({ isTaken }) => !isTaken)?.key ?? "";
    const repeated = proposedWrite({ approval: "auto", idempotencyKey: lost, input: {} });
    expect((await store.proposeWrite(repeated, AGENT, AUTO)).kind).toBe("created");
    expect(await store.verifyAudit()).toMatchObject({ ok: true });
  },
);
