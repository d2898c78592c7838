// From the stored bytes of a write to the request that is sent, if everything is still as approved.

import { doorOf } from "../contract/actor.ts";
import type { Failure } from "../contract/new-event.ts";
import type { Signing } from "../contract/signing.ts";
import type { Approval, Write } from "../contract/writes.ts";
import { canonicalJson, digestOf } from "../core/canonical-json.ts";
import type { Facts, Operation, OperationRequest, ReadCall, ReadFacts } from "../services/operation.ts";
import type { Accounts } from "./accounts.ts";
import { type OperationCatalogue, storedRequest } from "./input.ts";
import type { Policy } from "./policy.ts";
import { previewChanges, previewOf, previewOfLocal } from "./preview.ts";

export interface Checked {
  /** Undefined: nothing is sent. */
  request: OperationRequest | undefined;
  /** What the precondition read. */
  read: unknown;
}

export interface Prepared {
  operation: Operation;
  input: unknown;
  facts: Facts;
}

export interface PrepareOptions {
  accounts: Pick<Accounts, "of">;
  catalogue: OperationCatalogue;
  policy: () => Policy;
  facts: ReadFacts;
}

/** A write that must not be executed (any more). */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly failure: Failure;

  constructor(code: string, message: string) {
    super(message);
    this.failure = { code, message };
  }
}

/**
 * What the operation needs, from the stored bytes alone.
 * @throws Refusal, OperationError, StoreError
 */
export async function readStored(write: Write, { catalogue, facts }: PrepareOptions): Promise<Prepared> {
  const operation = catalogue.get(write.operation);
  if (operation?.effect !== "write")
    throw new Refusal("operation_not_found", `This nexusd no longer has the write ${write.operation}.`);
  if (digestOf(write.request) !== write.digest)
    throw new Refusal("digest_mismatch", "The stored request is not the one that was approved.");
  const stored = storedRequest(write.request);
  if (stored.operation !== write.operation)
    throw new Refusal("digest_mismatch", "The stored request belongs to another operation.");
  return { operation, input: stored.input, facts: await facts(operation.service) };
}

/**
 * The request, which must equal the one that was shown.
 * @throws Refusal `policy_denied`, `policy_changed`, `stale`; what the operation throws
 */
export async function checkedRequest(
  write: Write,
  { operation, input, facts }: Prepared,
  { policy, read }: { policy: () => Policy; read: ReadCall },
): Promise<Checked> {
  assertPolicy(write, operation, policy());
  const learnt = await assertPrecondition(write, { operation, input, facts }, read);
  const request = operation.request?.(input, facts, learnt);
  const changes = previewChanges(
    write.preview,
    request ? previewOf(request) : previewOfLocal(operation.name, input),
  );
  if (changes.length > 0)
    throw new Refusal(
      "stale",
      `Nothing was sent: the request would differ from what was shown: ${changes.join(", ")}. Propose it again.`,
    );
  // The policy may have changed while the precondition was read.
  assertPolicy(write, operation, policy());
  return { request, read: learnt };
}

/**
 * Checks that it is sent with the account that it was shown and approved for. Without a pause before sending, in which
 * a reload could bring another key. @throws Refusal `stale`
 */
export function assertAccount(write: Write, request: OperationRequest, { accounts }: PrepareOptions): void {
  if (!write.account) return;
  const before = write.account;
  const now = accounts.of(request);
  const changes = [
    ...(before.origin === now.origin ? [] : [`the origin (${before.origin}, now ${now.origin})`]),
    ...(before.credential === now.credential && before.fingerprint === now.fingerprint
      ? []
      : [`the key of ${before.credential}`]),
  ];
  if (changes.length > 0)
    throw new Refusal(
      "stale",
      `Nothing was sent: since the proposal ${changes.join(" and ")} changed. Propose it again.`,
    );
}

function assertPolicy(write: Write, operation: Operation, policy: Policy): void {
  const destructive = write.destructive || operation.destructive;
  const approval = policy.approvalOf({ name: operation.name, destructive });
  if (approval === "deny") throw new Refusal("policy_denied", `The policy now denies ${write.operation}.`);
  const why = whyNotDecided(write, approval, policy.signingOf({ name: operation.name, destructive }));
  if (why !== undefined)
    throw new Refusal("policy_changed", `${why} for ${write.operation}: propose it again.`);
}

/** Why its approval is not valid under the present policy; undefined: it is. */
function whyNotDecided(write: Write, approval: Approval, signing: Signing | undefined): string | undefined {
  if (approval === "auto" || write.decidedBy === null) return undefined;
  const door = doorOf(write.decidedBy);
  const by = door === "policy" ? "by the policy alone, which" : `by ${door}, and the policy`;
  if (approval === "operator" && door !== "operator.sock")
    return `It was approved ${by} by now wants an operator`;
  if (!signing) return undefined;
  if (door !== "signature") return `It was approved ${by} by now wants signatures`;
  const { signers, quorum } = signing;
  const counted = write.signedBy.filter(({ signer }) => signers === null || signers.includes(signer));
  if (counted.length >= quorum) return undefined;
  return "It was approved by signatures that by now are not those that the policy wants";
}

async function assertPrecondition(
  write: Write,
  { operation, input, facts }: Prepared,
  read: ReadCall,
): Promise<unknown> {
  const found = await operation.precondition?.(input, facts, read);
  const now = operation.precondition ? canonicalJson(found) : null;
  if (now === write.precondition) return found;
  throw new Refusal(
    "stale",
    `Nothing was sent: what was read at the proposal has changed: it was ${write.precondition}, it is ${now}. Propose it again.`,
  );
}
