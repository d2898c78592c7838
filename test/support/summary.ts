// A write as the daemon's list shows it.

import { aboutOf } from "../../src/contract/write-about.ts";
import type { Write, WriteSummary } from "../../src/contract/writes.ts";
import { parseJson } from "../../src/core/exact-json.ts";

export function summaryOf(write: Write): WriteSummary {
  const { id, operation, service, state, digest, target, destructive, approval, reason, agent } = write;
  const { proposedAt, expiresAt, decidedAt, executingAt, finishedAt, note, outcome, precondition } = write;
  const { bodyRemovedAt } = write;
  const { input } =
    bodyRemovedAt === null ? (parseJson(write.request) as { input: unknown }) : { input: undefined };
  return {
    ...{ id, operation, service, state, digest, target, destructive, approval, reason, agent },
    ...{ proposedAt, expiresAt, decidedAt, executingAt, finishedAt, note, outcome, bodyRemovedAt },
    about: aboutOf({ operation, input, before: precondition === null ? null : parseJson(precondition) }),
    error: write.result?.error ?? null,
  };
}
