// A proposal without a key gets one derived from its input, so that a call repeated after a timeout is the same write.
// Once that write has been final for a while, the same input means a new one: yesterday's "yes" is not today's.

import { answerOf } from "../client/request.ts";
import type { ProposalInput } from "../client/writes.ts";
import type { WriteSummaryView } from "../contract/api/writes.ts";
import { isFinal, type WriteState } from "../contract/writes.ts";
import { withNumbers } from "./numbers.ts";
import type { ToolContext } from "./tool.ts";

/** Longer than any client retries. */
const SAME_FOR_MS = 10 * 60_000;
/** How many of the newest writes are searched for the last one with the same input. */
const LOOKED_THROUGH = 500;
const MOST_LINKS = 50;
const NEW = 202;

interface Proposed {
  write: Awaited<ReturnType<ToolContext["client"]["propose"]>>;
  /** Whether it existed already. */
  isRepeated: boolean;
}

/** @throws NexusdError */
export const proposeOnce = (context: ToolContext, proposal: ProposalInput): Promise<Proposed> =>
  withNumbers(context, proposal.operation, proposal.input ?? {}, (input) =>
    proposeAsGiven(context, { ...proposal, input }),
  );

async function proposeAsGiven(context: ToolContext, proposal: ProposalInput): Promise<Proposed> {
  if (proposal.idempotencyKey !== undefined) return await proposeWith(context, proposal);
  const { client, signal } = context;
  let key = await keyOf(context, proposal, "");
  let found = await proposeWith(context, { ...proposal, idempotencyKey: key });
  for (let link = 0; isOver(found) && link < MOST_LINKS; link++) {
    // The newest similar write shows directly where a long chain ends.
    const { digest, operation, agent } = found.write;
    const { writes } = await client.writes.summaries({ limit: LOOKED_THROUGH, signal });
    const newest = writes.find(
      (one) => one.digest === digest && one.operation === operation && one.agent === agent,
    );
    if (newest && newest.id !== found.write.id && !isLongOver(newest, endOf(newest)))
      return { write: await client.writes.get(newest.id, { signal }), isRepeated: true };
    key = await keyOf(context, proposal, link === 0 ? (newest?.id ?? found.write.id) : found.write.id);
    found = await proposeWith(context, { ...proposal, idempotencyKey: key });
  }
  return found;
}

async function proposeWith({ client, signal, ownConsumer }: ToolContext, proposal: ProposalInput) {
  const write = await client.propose({ agent: ownConsumer, ...proposal }, { signal });
  return { write, isRepeated: answerOf(write).status !== NEW };
}

/** A key for the proposer and the input; after a final write, also for that one. */
async function keyOf(
  { ownConsumer }: ToolContext,
  { operation, input = {} }: ProposalInput,
  after: string,
): Promise<string> {
  // Loaded only here: most agents read far more than they propose.
  const { canonicalRecord, digestOf } = await import("../core/canonical-json.ts");
  return `mcp-${digestOf(canonicalRecord({ agent: ownConsumer ?? null, operation, input, after }))}`;
}

const isOver = ({ write, isRepeated }: Proposed): boolean => isRepeated && isLongOver(write, endOf(write));

/** A withdrawn or rejected write was only decided. */
const endOf = ({ finishedAt, decidedAt }: Pick<WriteSummaryView, "finishedAt" | "decidedAt">) =>
  finishedAt ?? decidedAt;

/** An `unknown` write never counts as over: it would be repeated. */
function isLongOver(
  write: { state: WriteState; expiresAt: string } & Parameters<typeof isFinal>[0],
  endedAt: string | null,
): boolean {
  if (write.state === "unknown" || !isFinal(write)) return false;
  return Date.parse(endedAt ?? write.expiresAt) < Date.now() - SAME_FOR_MS;
}
