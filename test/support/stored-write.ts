// Writes as the core would propose them to the store, without a service.

import { join } from "node:path";
import Database from "better-sqlite3";
import { ulid } from "ulid";
import type { Actor } from "../../src/contract/actor.ts";
import type { Store } from "../../src/contract/store.ts";
import type { WriteTransition } from "../../src/contract/write-store.ts";
import type { Write } from "../../src/contract/writes.ts";
import { canonicalJson, digestOf } from "../../src/core/canonical-json.ts";
import { toRow } from "../../src/store/write-rows.ts";

export const AGENT: Actor = { via: "agent.sock", user: "agent" };
export const OPERATOR: Actor = { via: "operator.sock", user: "ops" };
export const NEXUSD: Actor = { via: "nexusd", user: null };

export const T0 = "2026-03-01T12:00:00.000Z";
/** `seconds` after T0. */
export const t = (seconds: number): string => new Date(Date.parse(T0) + seconds * 1000).toISOString();

/** Nothing was rejected after this time. */
export const NO_REJECTION = { rejectedSince: "9999-12-31T23:59:59.999Z" };

export const proposedWrite = ({ input, ...overrides }: Partial<Write> & { input?: unknown } = {}): Write => {
  const operation = overrides.operation ?? "nexus.orders.update_status";
  const id = overrides.id ?? ulid();
  const request = canonicalJson({ operation, input: input ?? { orderId: id } });
  return {
    id,
    operation,
    service: "nexus",
    state: "proposed",
    request,
    digest: digestOf(request),
    preview: { method: "PATCH", url: "https://nexus.test/rest/v1/orders", headers: [], body: request },
    precondition: null,
    target: "nexus.orders.update_status",
    idempotent: false,
    destructive: false,
    approval: "operator",
    reason: null,
    agent: null,
    idempotencyKey: null,
    account: null,
    isBound: false,
    proposedAt: T0,
    expiresAt: t(3600),
    shownAt: null,
    decidedAt: null,
    decidedBy: null,
    signedBy: [],
    note: null,
    executingAt: null,
    finishedAt: null,
    attempts: 0,
    result: null,
    outcome: null,
    bodyRemovedAt: null,
    ...overrides,
  };
};

/** Proposes its own write. */
export const propose = async (
  store: Store,
  overrides: Parameters<typeof proposedWrite>[0] = {},
): Promise<Write> => {
  const result = await store.proposeWrite(proposedWrite(overrides), AGENT, NO_REJECTION);
  if (result.kind === "too_many_open") throw new Error("there are limits only where a test sets them");
  return result.write;
};

/**
 * Thousands at once, as database rows in one transaction: with a commit each it would take longer than any test has.
 * They have no event and no audit row.
 */
export const insertWrites = (dataDir: string, writes: Iterable<Write>): void => {
  const db = new Database(join(dataDir, "nexusd.db"));
  try {
    db.transaction(() => {
      for (const write of writes) {
        const row = toRow(write, null);
        const names = Object.keys(row);
        db.prepare(
          `INSERT INTO writes (${names.join(", ")}) VALUES (${names.map((name) => `:${name}`).join(", ")})`,
        ).run(row);
      }
    })();
  } finally {
    db.close();
  }
};

/** The transition that an operator's approval makes. */
export const approval = (id: string, at = t(1)): WriteTransition => ({
  id,
  from: "proposed",
  to: "approved",
  notExpiredAt: at,
  patch: { decidedAt: at, decidedBy: OPERATOR },
  actor: OPERATOR,
  at,
  detail: {},
});

export const rejection = (id: string, reason: string, at = t(1)): WriteTransition => ({
  ...approval(id, at),
  to: "rejected",
  patch: { decidedAt: at, decidedBy: OPERATOR, note: reason },
  detail: { reason },
});
