// Proposals: from an agent's request to a stored write that shows the real request. Nothing here sends a write.

import { monotonicFactory } from "ulid";
import type { Actor } from "../contract/actor.ts";
import type { Limits } from "../contract/limits.ts";
import type { Observation, Store } from "../contract/store.ts";
import type { OpenWrites } from "../contract/write-store.ts";
import { type Proposal, type Write, WriteError, type Writes } from "../contract/writes.ts";
import { canonicalJson, digestOf } from "../core/canonical-json.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import { textsIn } from "../services/input.ts";
import type { Facts, LocalView, Operation, OperationSender, ReadFacts } from "../services/operation.ts";
import type { Verifier } from "../signatures/verify.ts";
import type { Accounts } from "./accounts.ts";
import { isOver } from "./expiry.ts";
import { findOperation, invalidInput, type OperationCatalogue, storedRequest, validInput } from "./input.ts";
import type { ScanText } from "./outgoing-text.ts";
import { type Policy, subjectOf } from "./policy.ts";
import { createReadPrecondition } from "./precondition.ts";
import { previewOf, previewOfLocal } from "./preview.ts";
import {
  conflict,
  denied,
  proposalTooLarge,
  REJECTED_FOR_MS,
  recentlyRejected,
  tooManyOpen,
} from "./refusals.ts";

const SHORTEST_TTL_MS = 60_000;
const LONGEST_TTL_MS = 30 * 86_400_000;
/** An operator may still propose when the agents' limit is reached. */
const PLACES_OF_OPERATOR = 2;

const BY_POLICY: Actor = { via: "policy", user: null };

export type ProposalLimits = Pick<
  Limits,
  "proposal_bytes" | "preview_lines" | "open_proposals" | "open_proposal_bytes" | "problem_errors"
>;

export interface WritesOptions {
  store: Store;
  catalogue: OperationCatalogue;
  /** Called each time, since a reload changes it. */
  policy: () => Policy;
  sender: Pick<OperationSender, "read">;
  facts: ReadFacts;
  /** What nexusd stores about the object that a write with this input would change; undefined: nothing. */
  localView?: (service: string, input: unknown) => Promise<LocalView | undefined>;
  accounts: Pick<Accounts, "of" | "change">;
  verifier: Verifier;
  /** Stores an operator's approval of a write in one transaction with it; then `committed` is called. */
  withApproval?: (write: Write) => { observations?: Observation[]; committed?: () => void };
  scanText: ScanText;
  clock: Clock;
  steady: Pick<SteadyClock, "isOlder" | "ageOf" | "before">;
  random: () => number;
  /** The lifetime of a proposal without its own. */
  ttlMs: () => number;
  /** Wakes the executor. */
  onApproved: () => void;
  /** Called each time, since a reload changes them. */
  limits: () => ProposalLimits;
}

/** What is known of a proposal before its service is asked. */
interface Understood {
  operation: Operation;
  facts: Facts;
  /** The bytes that are stored, and the input as the executor will read it from them. */
  request: string;
  stored: unknown;
  digest: string;
  ttlMs: number;
}

/** @throws WriteError, OperationError, StoreError; HttpError if a precondition cannot be read */
export function createPropose(options: WritesOptions): Writes["propose"] {
  const { store, catalogue, policy, facts, scanText, clock, steady, random, onApproved } = options;
  const newId = monotonicFactory(random);
  const settlePolicy = createSettlePolicy(options);
  const readPrecondition = createReadPrecondition(options);

  const understand = async (proposal: Proposal): Promise<Understood> => {
    await catalogue.refresh(proposal.operation);
    const operation = findOperation(catalogue, proposal.operation);
    if (operation.effect !== "write")
      throw new WriteError("not_a_write", `${operation.name} is a read: send it to POST /v1/reads.`);
    const limits = options.limits();
    const ttlMs = timeToLive(proposal, operation, options.ttlMs());
    const valid = validInput(operation, proposal.input, limits.problem_errors);
    const known = await facts(operation.service);
    const input = operation.normalize?.(valid, known) ?? valid;
    const { request, stored } = canonicalRequest(operation, input, limits.proposal_bytes);
    return { operation, facts: known, request, stored, digest: digestOf(request), ttlMs };
  };

  /** Who decides about it. @throws WriteError `policy_denied` */
  const approvalOf = ({ operation, facts, stored }: Understood) => {
    const destructive = operation.destructive || operation.isDestructiveFor?.(stored, facts) === true;
    const subject = { name: operation.name, destructive };
    const approval = policy().approvalOf(subject);
    if (approval === "deny") throw denied(operation.name);
    return { approval, destructive, isStillAuto: () => policy().approvalOf(subject) === "auto" };
  };

  /** What a person sees, and what must still hold when it is sent. */
  const show = async ({ operation, facts, stored }: Understood, actor: Actor) => {
    // Others can read what leaves the machine: none of its texts may contain a secret, whatever it is for.
    if (operation.request) await scanText(textsIn(stored, []));
    const learnt = await readPrecondition(operation, stored, facts, actor);
    const toSend = operation.request?.(stored, facts, learnt);
    const notice = operation.notice?.();
    return {
      precondition: operation.precondition ? canonicalJson(learnt) : null,
      preview: {
        ...(toSend ? previewOf(toSend) : previewOfLocal(operation.name, stored)),
        ...(notice !== undefined && { notice }),
      },
      account: toSend ? options.accounts.of(toSend) : null,
    };
  };

  return async (proposal, actor, tokenHash) => {
    const understood = await understand(proposal);
    const { operation, request, stored, digest, ttlMs } = understood;
    const { reason = null, agent = null, idempotencyKey = null } = proposal;
    // Looked up before the service is asked: an earlier proposal is not judged again.
    const before =
      idempotencyKey === null
        ? undefined
        : await store.readWriteByIdempotencyKey({ key: idempotencyKey, operation: operation.name, agent });
    if (before) return { write: await settlePolicy(sameRequest(before, digest)), isNew: false };

    const { approval, destructive, isStillAuto } = approvalOf(understood);
    const shown = await show(understood, actor);
    const isAuto = approval === "auto" && isStillAuto();
    const proposedAt = clock.now();
    const most = mostOpen(options.limits(), actor);
    // A proposal past its time is not open any more, even if the sweep has not come by yet.
    if (await isFull(store, most, Buffer.byteLength(request)))
      await store.expireWrites(isoTime(proposedAt), isOver(steady));
    const result = await store.proposeWrite(
      {
        ...UNDECIDED,
        signedBy: [],
        id: newId(proposedAt),
        operation: operation.name,
        service: operation.service,
        ...{ request, digest, ...shown },
        target: operation.target?.(stored) ?? operation.name,
        idempotent: operation.idempotent,
        ...{ destructive, approval, reason, agent, idempotencyKey },
        isBound: tokenHash !== undefined,
        proposedAt: isoTime(proposedAt),
        expiresAt: isoTime(proposedAt + ttlMs),
      },
      actor,
      {
        rejectedSince: isoTime(steady.before(REJECTED_FOR_MS)),
        isRecent: (decidedAt) => steady.ageOf(Date.parse(decidedAt)) < REJECTED_FOR_MS,
        most,
        // In one transaction with the proposal: a proposal that is reported as failed leaves nothing open.
        ...(isAuto && { approveBy: BY_POLICY }),
        ...(tokenHash !== undefined && { tokenHash }),
      },
    );
    if (result.kind === "too_many_open") throw tooManyOpen(most);
    if (result.write.state === "approved") onApproved();
    switch (result.kind) {
      case "created":
        return { write: result.write, isNew: true };
      case "existing":
        return { write: await settlePolicy(result.write), isNew: false };
      case "idempotency_conflict":
        throw conflict(result.write);
      case "recently_rejected":
        throw recentlyRejected(
          result.write,
          REJECTED_FOR_MS - steady.ageOf(Date.parse(result.write.decidedAt ?? result.write.proposedAt)),
          clock.now(),
        );
    }
  };
}

/** The fields of every undecided write. */
const UNDECIDED = {
  state: "proposed",
  ...{ shownAt: null, decidedAt: null, decidedBy: null, note: null },
  ...{ executingAt: null, finishedAt: null, attempts: 0, result: null, outcome: null, bodyRemovedAt: null },
} as const;

/** @returns approves a write found by its idempotency key, if the policy approves it and it is still proposed */
const createSettlePolicy =
  ({ store, policy, clock, steady, onApproved }: WritesOptions) =>
  async (write: Write): Promise<Write> => {
    const isAuto = write.approval === "auto" && policy().approvalOf(subjectOf(write)) === "auto";
    if (!isAuto || write.state !== "proposed") return write;
    const at = isoTime(clock.now());
    const madeAt = Date.parse(write.proposedAt);
    const result = await store.transitionWrite({
      id: write.id,
      from: "proposed",
      to: "approved",
      notExpiredAt: isoTime(madeAt + steady.ageOf(madeAt)),
      patch: { decidedAt: at, decidedBy: BY_POLICY },
      actor: BY_POLICY,
      at,
      detail: { operation: write.operation },
    });
    onApproved();
    return result?.write ?? write;
  };

/** @throws WriteError for an input that is not JSON, or too large */
function canonicalRequest(
  operation: Operation,
  input: unknown,
  mostBytes: number,
): { request: string; stored: unknown } {
  let request: string;
  try {
    request = canonicalJson({ operation: operation.name, input });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw invalidInput({ path: "", message: error.message }, operation.name);
  }
  if (Buffer.byteLength(request) > mostBytes) throw proposalTooLarge(mostBytes);
  return { request, stored: storedRequest(request).input };
}

const mostOpen = ({ open_proposals, open_proposal_bytes }: ProposalLimits, { via }: Actor): OpenWrites => {
  const times = via === "operator.sock" ? PLACES_OF_OPERATOR : 1;
  return { writes: open_proposals * times, bytes: open_proposal_bytes * times };
};

/** Whether another write of about this many bytes may not fit: the preview contains it escaped, up to twice as long. */
async function isFull(store: Store, most: OpenWrites, bytes: number): Promise<boolean> {
  const open = await store.countOpenWrites();
  return open.writes >= most.writes || open.bytes + 3 * bytes > most.bytes;
}

function timeToLive({ ttlMs }: Proposal, operation: Operation, fallbackMs: number): number {
  if (ttlMs === undefined) return fallbackMs;
  if (ttlMs >= SHORTEST_TTL_MS && ttlMs <= LONGEST_TTL_MS) return ttlMs;
  throw invalidInput({ path: "ttl", message: "must be from 1m to 30d" }, operation.name);
}

function sameRequest(write: Write, digest: string): Write {
  if (write.digest === digest) return write;
  throw conflict(write);
}
