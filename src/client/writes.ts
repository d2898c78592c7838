// Writes: proposed by an agent, followed to their end; decided by an operator.

import type {
  ProposedWrite,
  RejectedView,
  ShownWrite,
  WriteSummaryView,
  WriteView,
} from "../contract/api/writes.ts";
import type { Decision, SignedDecision } from "../contract/signing.ts";
import { isFinal, type WriteState } from "../contract/writes.ts";
import { isPassing } from "./error.ts";
import { patiently, type Time } from "./patience.ts";
import { at, type CallControl, type Requester, waitFor } from "./request.ts";

export interface ProposalInput {
  /** `service.noun.verb`, a write of `operations()`. */
  operation: string;
  /** As in the operation's `inputSchema`; integers above 2^53 as bigint. */
  input?: unknown;
  /** The reason, for the person who decides. */
  reason?: string | undefined;
  /** The agent's self-chosen name; shown as such. */
  agent?: string | undefined;
  /** The same key and input mean the same write, however often it is proposed. */
  idempotencyKey?: string | undefined;
  /** How long the proposal is valid: "2h"; default: as configured. */
  ttl?: string | undefined;
  /** Whether an agent needs the `token`, returned this once, to withdraw it. */
  bind?: boolean | undefined;
}

export interface ProposeOptions extends CallControl {
  /**
   * How long to retry if the daemon is unavailable or busy, in milliseconds; default 10,000. The proposal then has an
   * idempotency key, generated if none is given, so it is never proposed twice. 0: one attempt, without such a key.
   */
  patienceMs?: number;
}

export interface FinalOptions extends CallControl {
  /** How long to wait, in milliseconds; default: no limit. After it, the write is returned as it is. */
  waitMs?: number | undefined;
  /** Called with each state that is seen, including the first. */
  onProgress?: (write: ShownWrite) => void;
  /** Called when the daemon becomes unavailable, and with undefined when it is back. */
  onAway?: (error: unknown) => void;
}

export interface WriteFilter {
  /** Default: all. */
  states?: readonly WriteState[] | undefined;
  /** The id of a write: only older ones. */
  after?: string | undefined;
  /** 1 to 1000; default 100. */
  limit?: number | undefined;
}

export interface WritePage {
  writes: WriteView[];
  /** The next `after`; null: there are no more. */
  next: string | null;
}
export interface SummaryPage extends Omit<WritePage, "writes"> {
  writes: WriteSummaryView[];
}

export interface Writes {
  /** @throws NexusdError `policy_denied`, `recently_rejected`, `idempotency_conflict`, `invalid_input`, … */
  propose(proposal: ProposalInput, options?: ProposeOptions): Promise<ProposedWrite>;
  /** With `waitMs` (up to 60,000), returns as soon as it has left its current state. */
  get(id: string, options?: CallControl & { waitMs?: number }): Promise<ShownWrite>;
  /** Newest first, in full; a page of long writes ends before `limit`. */
  list(options?: CallControl & WriteFilter): Promise<WritePage>;
  /** Newest first, without request, preview and result: for lists of thousands. */
  summaries(options?: CallControl & WriteFilter): Promise<SummaryPage>;
  cancel(id: string, options?: CallControl & { token?: string | undefined }): Promise<WriteView>;
  /**
   * Resolves when the write is final (so is `unknown`: a person has to find out), across restarts of the daemon.
   * @throws NexusdError if the daemon refuses; the signal's reason
   */
  waitUntilFinal(id: string, options?: FinalOptions): Promise<ShownWrite>;

  /**
   * A decision about the write as a text to sign (`ssh-keygen -Y sign -n nexusd-decision`); default: its approval.
   * @throws NexusdError `write_already_decided`, `write_expired`, …
   */
  statement(id: string, decision?: Decision, options?: CallControl): Promise<string>;
  /**
   * Submits a signed statement. The returned write is still `proposed` if the policy requires more signers.
   * @throws NexusdError `statement_mismatch`, `statement_used`, `signature_bad`, `signer_not_allowed`, …
   */
  decide(id: string, signed: SignedDecision, options?: CallControl): Promise<WriteView>;

  // Only on the operators' socket.

  approve(
    id: string,
    decision: { digest: string; note?: string | undefined },
    options?: CallControl,
  ): Promise<WriteView>;
  reject(id: string, reason: string, options?: CallControl): Promise<WriteView>;
  /** Every proposal of the given agent and operation; with `dryRun` they are only counted. */
  rejectMany(
    which: { agent?: string; operation?: string; upTo?: string; dryRun?: boolean; reason: string },
    options?: CallControl,
  ): Promise<RejectedView>;
  resolve(
    id: string,
    found: { outcome: "succeeded" | "failed"; note: string },
    options?: CallControl,
  ): Promise<WriteView>;
}

const ROOT = "/v1/writes";
const PATIENCE_MS = 10_000;
// A proposal may have to read the current state from the service.
const PROPOSAL_TIMEOUT_MS = 150_000;
/** For a decision, which takes as long as a person needs. */
const DECISION_MS = 30_000;
/**
 * For an execution, which passes through several states within milliseconds: a request that arrives at the last one
 * would wait in vain for the next.
 */
const EXECUTION_MS = 1000;
const AGAIN_AFTER_MS = 1000;
// An immediate answer without news comes from a daemon that is about to stop.
const AT_ONCE_MS = 500;

export function createWrites({ ask, text }: Requester, time: Time): Writes {
  const { clock } = time;
  const decide = (id: string, what: string, body: object, options: CallControl = {}) =>
    ask<WriteView>("POST", at(ROOT, id, what), { role: "operator", ...options, body });

  const list = <Page extends object>(
    view: "summary" | undefined,
    options: CallControl & WriteFilter = {},
  ) => {
    const { states, after, limit, ...control } = options;
    return ask<Page>("GET", ROOT, { ...control, query: { limit, state: states, after, view } });
  };

  const writes: Writes = {
    propose(proposal, { patienceMs = PATIENCE_MS, ...control } = {}) {
      const body = { ...proposal };
      if (patienceMs > 0) body.idempotencyKey ??= crypto.randomUUID();
      const propose = () =>
        ask<ProposedWrite>("POST", ROOT, { timeoutMs: PROPOSAL_TIMEOUT_MS, ...control, body });
      return patiently(propose, { ...time, forMs: patienceMs, signal: control.signal });
    },

    get: (id, { waitMs, ...control } = {}) => {
      const { wait, ...timeout } = waitFor(waitMs);
      return ask("GET", at(ROOT, id), { ...timeout, ...control, query: { wait } });
    },

    list: (options) => list(undefined, options),
    summaries: (options) => list("summary", options),

    cancel: (id, options) => ask("POST", at(ROOT, id, "/cancel"), options),

    async waitUntilFinal(id, { waitMs, onProgress, onAway, ...control } = {}) {
      const deadline = clock.monotonic() + (waitMs ?? Number.POSITIVE_INFINITY);
      let last: ShownWrite | undefined;
      let isAway = false;
      for (;;) {
        const startedAt = clock.monotonic();
        const left = Math.max(0, deadline - startedAt);
        const longest = last?.state === "proposed" ? DECISION_MS : EXECUTION_MS;
        const wait = last && !isAway ? Math.ceil(Math.min(longest, left)) : 0;
        try {
          const write = await writes.get(id, { ...control, waitMs: wait });
          if (isAway) onAway?.(undefined);
          isAway = false;
          const isNews = write.state !== last?.state;
          if (isNews) onProgress?.(write);
          last = write;
          if (isFinal(write) || clock.monotonic() >= deadline) return write;
          if (wait === 0 || isNews || clock.monotonic() - startedAt > AT_ONCE_MS) continue;
        } catch (error) {
          const isOver = control.signal?.aborted || clock.monotonic() >= deadline;
          if (isOver || !isPassing(error)) throw error;
          if (!isAway) onAway?.(error);
          isAway = true;
        }
        await clock.sleep(AGAIN_AFTER_MS, control.signal);
      }
    },

    statement: (id, decision, options = {}) =>
      text("GET", at(ROOT, id, "/statement"), { ...options, query: { decision } }),
    decide: (id, signed, options) => ask("POST", at(ROOT, id, "/decide"), { ...options, body: signed }),

    approve: (id, decision, options) => decide(id, "/approve", decision, options),
    reject: (id, reason, options) => decide(id, "/reject", { reason }, options),
    resolve: (id, found, options) => decide(id, "/resolve", found, options),
    rejectMany: (which, options) =>
      ask("POST", `${ROOT}/reject`, { role: "operator", ...options, body: which }),
  };
  return writes;
}
