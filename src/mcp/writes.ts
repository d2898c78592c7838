// A write as an agent sees it, and proposing one so that a repeated call is the same write.

import { z } from "zod";
import type { ProposalInput } from "../client/writes.ts";
import type { ProposedWrite, ShownWrite, WriteView } from "../contract/api/writes.ts";
import { isFinal, type WriteState } from "../contract/writes.ts";
import { cut, note, plain, UNTRUSTED_NOTE, untrusted } from "./foreign.ts";
import { object, text, whole } from "./input.ts";
import { proposeOnce } from "./once.ts";
import type { ToolContext } from "./tool.ts";

/** Below the one-minute timeout of clients. */
const LONGEST_WAIT_S = 45;
const DEFAULT_WAIT_S = 15;

export const waitSeconds = whole(
  0,
  LONGEST_WAIT_S,
  "For how long at most to wait for the outcome, in seconds",
).optional();

export const proposal = z.strictObject({
  operation: text(200, "The name of an operation whose effect is write"),
  input: object("As the operation's inputSchema has it; left out: {}").optional(),
  reason: text(1000, "Why, in a sentence, for the person who decides").optional(),
  idempotencyKey: text(
    200,
    "Your own name for this very write: the same key is the same write for ever. Only where the same input is meant to be written once more",
  ).optional(),
  ttl: text(20, 'How long the proposal stands, such as "2h"; left out: as configured').optional(),
});

export const writeOutput = z.object({
  id: z.string(),
  operation: z.string(),
  state: z.string(),
  isFinal: z.boolean().describe("Whether nothing more happens to it by itself"),
  isRepeated: z.boolean().describe("Whether this is a write that was proposed before, and not a new one"),
  destructive: z.boolean().describe("Whether it deletes permanently"),
  warning: z.string().optional(),
  approval: z.string(),
  digest: z.string().describe("What an approval names"),
  proposedAt: z.string(),
  expiresAt: z.string(),
  finishedAt: z.string().optional(),
  operatorNote: z.string().optional().describe("The words of the person who decided"),
  next: z.string().describe("What to do now"),
  untrusted: untrusted("output or error of the service, and how to find out what became of it"),
  more: z.string().optional(),
  note,
});

const NEXT: Record<WriteState, string> = {
  proposed:
    "A person decides on it. Go on with other work, and look later with writes_get, or at the events of type write.*. Do not propose it again.",
  approved: "It is approved and will be carried out. Look later with writes_get.",
  executing: "It is being carried out. Look later with writes_get.",
  succeeded: "It is done.",
  failed: "It was not done. untrusted.error says why; propose something else where that helps.",
  unknown:
    "Whether it was done is not known. Never repeat it, in no other way either: a person finds out and resolves it.",
  rejected: "A person has refused it; operatorNote says why. Do not propose it again as it is.",
  expired: "Nobody has decided in time. Propose it again only if it is still wanted.",
  cancelled: "It was withdrawn.",
  resolved: "A person found out what became of it; operatorNote says more.",
};

const WARNING = "This write deletes permanently. A person is told so before it is approved.";

type AnyWrite = WriteView | ProposedWrite | ShownWrite;

function writeView(write: AnyWrite, isRepeated: boolean): z.input<typeof writeOutput> {
  const { id, operation, state, destructive, approval, digest, proposedAt, expiresAt } = write;
  const { value, nextOffset } = cut(write.result ?? {});
  return {
    ...{ id, operation, state, isFinal: isFinal(write), isRepeated, destructive, approval, digest },
    ...(destructive && { warning: WARNING }),
    ...{ proposedAt, expiresAt, ...(write.finishedAt !== null && { finishedAt: write.finishedAt }) },
    ...(write.note !== null && { operatorNote: write.note }),
    next: NEXT[state],
    // The result is an object, or contains a part of its text.
    untrusted: plain(value) as Record<string, unknown>,
    ...(nextOffset !== undefined && {
      more: "The output is longer than one answer. Read what you need of it with a read operation.",
    }),
    note: UNTRUSTED_NOTE,
  };
}

/** @throws NexusdError */
export async function writeAfter(
  { client, signal }: ToolContext,
  id: string,
  seconds: number,
  isRepeated = false,
): Promise<z.input<typeof writeOutput>> {
  const write =
    seconds > 0
      ? await client.writes.waitUntilFinal(id, { waitMs: seconds * 1000, signal })
      : await client.writes.get(id, { signal });
  return writeView(write, isRepeated);
}

/** Proposes, and waits if no person has to decide. @throws NexusdError */
export async function proposeAndWait(
  context: ToolContext,
  proposed: ProposalInput,
  seconds: number | undefined,
): Promise<z.input<typeof writeOutput>> {
  const { write, isRepeated } = await proposeOnce(context, proposed);
  // A decision takes as long as a person needs: wait for it only if requested.
  const wait = seconds ?? (write.state === "proposed" ? 0 : DEFAULT_WAIT_S);
  if (wait === 0 || isFinal(write)) return writeView(write, isRepeated);
  return await writeAfter(context, write.id, wait, isRepeated);
}
