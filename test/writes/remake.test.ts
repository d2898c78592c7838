// What a write would send is made anew by every verification: a forger who rebuilds the chain as well is found.

import { expect, test } from "vitest";
import { coversOf } from "../../src/contract/audit-cover.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { furtherDifferences } from "../../src/writes/remake.ts";
import { temporaryDirectory } from "../support/store.ts";
import { append, attack } from "../support/tampered.ts";
import { ORDER_ID, realWritePath, SESSION_ID } from "../support/write-path.ts";

const AGENT = { via: "agent.sock", user: null } as const;
const PROPOSALS: [operation: string, input: Record<string, unknown>][] = [
  ["nexus.orders.update_status", { orderId: ORDER_ID, orderStatus: "shipped" }],
  ["nex.context.add_text", { content: "The parcel left on Monday." }],
  ["messaging.messages.send", { session: SESSION_ID, text: "The parcel left." }],
  ["messaging.aliases.upsert", { session: SESSION_ID, alias: "shop" }],
];

test("an open write whose preview was replaced together with its rows in the audit log is found", async () => {
  const dataDir = temporaryDirectory();
  const before = await openStore({ dataDir, clock: systemClock });
  const { writes } = realWritePath({ store: before, clock: systemClock });
  const proposed = [];
  for (const [operation, input] of PROPOSALS)
    proposed.push((await writes.propose({ operation, input }, AGENT)).write);
  expect(await before.verifyAudit(undefined, furtherDifferences)).toMatchObject({
    ok: true,
    changedCount: 0,
  });
  await before.close();

  const [order, , message] = proposed;
  if (!order || !message) throw new Error("they were proposed");
  const body = order.preview.body?.replace("shipped", "cancelled") ?? null;
  expect(body).not.toBe(order.preview.body);
  const preview = JSON.stringify({ ...order.preview, body });
  attack(dataDir, (db) => {
    db.prepare("UPDATE writes SET preview = ? WHERE id = ?").run(preview, order.id);
    append(db, {
      ...{ action: "shown", writeId: order.id, digest: order.digest },
      covers: coversOf({ preview }, undefined),
    });
  });
  const store = await openStore({ dataDir, clock: systemClock });
  // The chain alone agrees with the forger.
  expect(await store.verifyAudit()).toMatchObject({ ok: true });
  const { ok, changed } = await store.verifyAudit(undefined, furtherDifferences);
  expect([ok, changed.map(({ writeId }) => writeId)]).toEqual([false, [order.id]]);
  expect(changed[0]?.why).toMatch(/the preview \(the body is not what nexus\.orders\.update_status makes/);
  await store.close();
});
