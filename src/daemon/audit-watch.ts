// Watches the audit log: verifies it at the start and every hour, and writes its head to the daemon's own log, where
// somebody who can change the database cannot remove it.

import type { Logger } from "pino";
import { whatIsWrong } from "../contract/audit.ts";
import { type Store, StoreError } from "../contract/store.ts";
import type { AuditVerdict } from "../contract/write-store.ts";
import type { AuditStatus, AuditView } from "../control/context.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import { furtherDifferences } from "../writes/remake.ts";

const VERIFY_EVERY_MS = 3_600_000;
const NOTE_EVERY_MS = 24 * VERIFY_EVERY_MS;

export interface AuditWatch extends AuditView {
  /** Resolves at shutdown. */
  run(signal: AbortSignal): Promise<void>;
}

export function createAuditWatch({
  store,
  clock,
  log,
}: {
  store: Pick<Store, "verifyAudit">;
  clock: Clock;
  log: Pick<Logger, "info" | "error">;
}): AuditWatch {
  let status: AuditStatus = { state: "unknown", why: null, verifiedAt: null };
  let notedAt = Number.NEGATIVE_INFINITY;

  const learn = (verdict: AuditVerdict): void => {
    // If a head was asked for, the verdict depends on it, too: that alone is not the state of the log.
    const { noted: _, ...found } = verdict;
    const isWhole = !found.brokenAt && found.changedCount === 0;
    const why = isWhole ? null : whatIsWrong(found);
    if (why !== null && why !== status.why)
      log.error(`the audit log was changed: ${why} Keep a copy, and see nexusctl audit verify.`);
    if (why === null && status.state === "broken") log.info("the audit log verifies again");
    status = { state: isWhole ? "ok" : "broken", why, verifiedAt: isoTime(clock.now()) };
  };

  const note = (rows: number, head: string): void => {
    log.info({ rows, head }, "the head of the audit log");
  };

  const verify: AuditView["verify"] = async (head) => {
    const verdict = await store.verifyAudit(head, furtherDifferences);
    learn(verdict);
    return verdict;
  };

  return {
    status: () => status,
    verify,
    note,
    async run(signal) {
      try {
        for (;;) {
          const verdict = await verify().catch((error: unknown) => {
            // The state of the database is reported elsewhere.
            if (error instanceof StoreError) return undefined;
            throw error;
          });
          if (verdict?.head && clock.monotonic() - notedAt >= NOTE_EVERY_MS) {
            notedAt = clock.monotonic();
            note(verdict.rows, verdict.head);
          }
          await clock.sleep(VERIFY_EVERY_MS, signal);
        }
      } catch (err) {
        if (!signal.aborted) log.error({ err }, "the watch over the audit log ended");
      }
    },
  };
}
