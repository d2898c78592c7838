// The operations on writes: propose (src/writes/proposals.ts), read, wait, decide.

import { timingSafeEqual } from "node:crypto";
import type { Actor } from "../contract/actor.ts";
import { type Observation, StoreError } from "../contract/store.ts";
import { TRANSITIONS, type Write, WriteError, type Writes } from "../contract/writes.ts";
import { isoTime } from "../core/clock.ts";
import { within } from "../core/within.ts";
import { isOver } from "./expiry.ts";
import { subjectOf } from "./policy.ts";
import { countHiddenLines } from "./preview.ts";
import { createPropose, type WritesOptions } from "./proposals.ts";
import { bound, denied, previewTooLong, signatureRequired, stale, undecidable } from "./refusals.ts";
import { rejectAll } from "./reject-all.ts";
import { createReview } from "./review.ts";
import { createSignedDecisions } from "./signed-decisions.ts";

/** How often to check whether writes past their time have expired, while the clock is not steady. */
const UNSTEADY_LOOK_MS = 5000;

/** The write path up to the approval. Beside the errors that Writes names, `propose` throws HttpError. */
export function createWrites(options: WritesOptions): Writes {
  const { store, policy, accounts, clock, steady, onApproved } = options;
  const now = () => isoTime(clock.now());

  const found = (write: Write | undefined, id: string): Write => {
    if (write) return write;
    throw new WriteError("write_not_found", `There is no write ${JSON.stringify(id)}.`);
  };

  const isOverdue = (write: Pick<Write, "state" | "proposedAt" | "expiresAt">) =>
    write.state === "proposed" && isOver(steady)(write);

  /** As it is now: one past its expiry is expired, even if the sweep has not come by yet. */
  const get = async (id: string): Promise<Write> => {
    const write = found(await store.readWrite(id), id);
    if (!isOverdue(write)) return write;
    await sweep();
    return found(await store.readWrite(id), id);
  };

  const sweep = async () => {
    try {
      await store.expireWrites(now(), isOver(steady));
    } catch (error) {
      // Reading works even if the database accepts no commits; deciding checks the time itself.
      if (!(error instanceof StoreError)) throw error;
    }
  };

  /** A page on which none is past its expiry. */
  const swept = async <W extends Pick<Write, "state" | "proposedAt" | "expiresAt">>(
    read: () => Promise<W[]>,
  ): Promise<W[]> => {
    const page = await read();
    if (!page.some(isOverdue)) return page;
    await sweep();
    return read();
  };

  /** A decision on a write that waits for one. */
  const decide = async (
    id: string,
    to: "approved" | "rejected" | "cancelled",
    actor: Actor,
    note: string | null,
    { observations = [], tokenHash }: { observations?: Observation[]; tokenHash?: string | undefined } = {},
  ): Promise<Write> => {
    const { proposedAt } = await get(id);
    const at = now();
    const madeAt = Date.parse(proposedAt);
    const result = await store.transitionWrite({
      id,
      from: "proposed",
      to,
      // The present time, as if the clock had not been stepped since the proposal.
      notExpiredAt: isoTime(madeAt + steady.ageOf(madeAt)),
      patch: { decidedAt: at, decidedBy: actor, note },
      actor,
      at,
      detail: note === null ? {} : { note },
      observations,
      ...(tokenHash !== undefined && { tokenHash }),
    });
    const write = found(result?.write, id);
    if (result?.kind === "refused")
      throw tokenHash !== undefined && isOpen(write) ? bound(write) : undecidable(write);
    return write;
  };

  /** What prevents its approval, by anyone. */
  const assertApprovable = (write: Write): void => {
    if (policy().approvalOf(subjectOf(write)) === "deny") throw denied(write.operation, write);
    const change = write.account && accounts.change(write.account);
    if (change) throw stale(write, change);
    const { preview_lines: most } = options.limits();
    if (countHiddenLines(write, most) > 0) throw previewTooLong(write, most);
  };

  const isOpen = (write: Write) => write.isBound && write.state === "proposed" && !isOverdue(write);

  return {
    propose: createPropose(options),
    get,
    async show(id, actor) {
      await get(id);
      return found(await store.markWriteShown(id, actor, now()), id);
    },
    list: (query) => swept(() => store.readWrites(query)),
    summaries: (query) => swept(() => store.readWriteSummaries(query)),
    async waitFor(id, state, waitMs, signal) {
      const ended = new AbortController();
      const end = () => ended.abort();
      const until = clock.monotonic() + waitMs;
      signal.addEventListener("abort", end, { once: true });
      let knock = () => {};
      const unsubscribe = store.onAppend(() => knock());
      try {
        const { proposedAt, expiresAt } = await get(id);
        const madeAt = Date.parse(proposedAt);
        const livesMs = Date.parse(expiresAt) - madeAt;
        for (;;) {
          // Before the state is read, so that changes in between are not missed.
          const knocked = new Promise<void>((resolve) => {
            knock = resolve;
          });
          const leftMs = until - clock.monotonic();
          const isDone = isOverdue({ state, proposedAt, expiresAt }) || TRANSITIONS[state].length === 0;
          // Only its state: it may be long, and every waiter checks it at each event of the log.
          if (isDone || leftMs <= 0 || signal.aborted || !(await store.isWriteIn(id, state)))
            return await get(id);
          const expiresInMs = livesMs - steady.ageOf(madeAt);
          // Past its time, nothing expires until the clock has been steady for a while.
          const nextLookMs = expiresInMs > 0 ? expiresInMs : UNSTEADY_LOOK_MS;
          const patienceMs = state === "proposed" ? Math.min(leftMs, nextLookMs) : leftMs;
          await within(clock, patienceMs, knocked, ended.signal);
        }
      } finally {
        signal.removeEventListener("abort", end);
        unsubscribe();
      }
    },
    review: createReview(options),
    ...createSignedDecisions({ ...options, get, assertApprovable }),
    async approve(id, digest, actor, note) {
      const write = await get(id);
      if (!isSame(digest, write.digest))
        throw new WriteError(
          "digest_mismatch",
          `The write ${id} has another digest than the one approved: review it again (nexusctl writes show ${id}).`,
          { write },
        );
      if (write.state === "proposed" && policy().signingOf(subjectOf(write))) throw signatureRequired(write);
      if (write.state === "proposed") assertApprovable(write);
      const { observations, committed } = options.withApproval?.(write) ?? {};
      const approved = await decide(id, "approved", actor, note ?? null, {
        ...(observations && { observations }),
      });
      committed?.();
      onApproved();
      return approved;
    },
    reject: (id, reason, actor) => decide(id, "rejected", actor, reason),
    rejectAll: (filter, reason, actor) =>
      rejectAll(filter, (id) => decide(id, "rejected", actor, reason), store),
    async cancel(id, actor, tokenHash) {
      if (actor.via !== "operator.sock" || (await get(id)).state !== "approved")
        return decide(id, "cancelled", actor, null, { tokenHash });
      // One conditional update, like the executor's claim: whichever comes first wins.
      const at = now();
      const result = await store.transitionWrite({
        ...{ id, from: "approved", to: "cancelled", actor, at },
        patch: { finishedAt: at },
        detail: { stopped: "before it began" },
      });
      const write = found(result?.write, id);
      if (result?.kind === "refused") throw undecidable(write);
      return write;
    },
    async resolve(id, outcome, note, actor) {
      const result = await store.transitionWrite({
        id,
        from: "unknown",
        to: "resolved",
        patch: { outcome, note },
        actor,
        at: now(),
        detail: { outcome, note },
      });
      const write = found(result?.write, id);
      if (result?.kind === "refused")
        throw new WriteError(
          "write_not_unknown",
          `The write ${id} is ${write.state}: only one whose outcome is unknown can be resolved.`,
          { write },
        );
      return write;
    },
    async counts() {
      await sweep();
      return store.countWrites();
    },
  };
}

/** In constant time, so that a digest cannot be guessed by timing. */
function isSame(given: string, digest: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(digest)];
  return a.length === b.length && timingSafeEqual(a, b);
}
