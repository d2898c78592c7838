// Leaving a session, by the table of the protocol: what each answer means for the stored session; and forgetting a
// session that cannot be left.

import { z } from "zod";
import type { HttpError } from "../../../http/errors.ts";
import { fieldsOf, segment } from "../../input.ts";
import { OperationError, type ReadCall, type RefusalMeaning } from "../../operation.ts";
import { defineOperation, type MessagingFacts, sessionCredential } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import { afterKeyRefused, afterLeaving } from "../membership/membership.ts";
import {
  agentsOf,
  describeRequest,
  findKnown,
  openRequest,
  session,
  sessionPath,
  sessionTarget,
} from "./common.ts";

const FORGET_IT =
  "Forget it (messaging.sessions.forget, nexusctl messaging forget): nexusd stops renewing it, and it expires.";

/** An agent must not take nexusd out of a session that a person put into the configuration. */
function isConfigured(input: { session: string }, facts: MessagingFacts): boolean {
  return findKnown(input.session, facts)?.isConfigured === true;
}

export const leaveSession = defineOperation({
  name: "messaging.sessions.leave",
  service: "messaging",
  effect: "write",
  idempotent: true,
  isDestructiveFor: isConfigured,
  title: "Leave a session",
  description:
    "Leaves a session; nexusd stops polling it and frees its alias. A session's creator cannot leave it.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: (input, facts) => {
    const { sessionId, isCreator, state } = nameOf(input.session, facts);
    if (isCreator && state === "joined")
      throw new OperationError(
        "refused",
        `nexusd created this session, and the creator of a session cannot leave it. ${FORGET_IT}`,
      );
    return { ...input, session: sessionId };
  },
  request: ({ session: idOrAlias }, facts) => {
    const { sessionId, baseUrl, agentId } = facts.session(idOrAlias);
    return {
      ...openRequest(
        "DELETE",
        baseUrl,
        sessionPath(sessionId, `/agents/${segment(agentId)}`),
        "/v1/sessions/:id/agents/:agentId",
      ),
      headers: { "x-agent-id": agentId },
      credential: sessionCredential(sessionId),
    };
  },
  output: (_answer, { session }) => ({ sessionId: session, status: "left" }),
  effects: (_answer, { session }) => forgotten(session),
  holds: ({ session }) => session,
  refused: (error, { session }, facts, read) => meaningOfLeaving(error, session, facts, read),
  target: sessionTarget,
  howToFindOut:
    "Read messaging.sessions.get of the session. If its agents still include this agent's id, leave it again.",
});

export const forgetSession = defineOperation({
  name: "messaging.sessions.forget",
  service: "messaging",
  effect: "write",
  idempotent: true,
  isDestructiveFor: isConfigured,
  title: "Forget a session",
  description:
    "Stops polling and renewing a session, and frees its alias, without telling its server. Use " +
    "it for a session that cannot be left: nexusd created it, has no key for it, or its server " +
    "is gone. On the server nexusd stays a member until the session expires.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: (input, facts) => ({ session: nameOf(input.session, facts).sessionId }),
  output: (_answer, { session }) => ({ sessionId: session, status: "forgotten" }),
  effects: (_answer, { session }) => forgotten(session),
  target: sessionTarget,
});

/** Leaving a session twice by its alias works, although it has lost the alias by then. */
const nameOf = (name: string, facts: MessagingFacts) => findKnown(name, facts) ?? facts.session(name);

const forgotten = (sessionId: string) => [
  {
    sessionId,
    change: (current: Parameters<typeof afterLeaving>[0] | undefined) =>
      current && current.state !== "left" ? afterLeaving(current) : undefined,
    sessionKey: null,
  },
];

const failure = (code: string, message: string) =>
  ({ kind: "failed", error: { code, message } }) satisfies RefusalMeaning<SessionEffect>;

/** The table of the protocol: what each answer to leaving means. */
async function meaningOfLeaving(
  error: HttpError,
  sessionId: string,
  facts: MessagingFacts,
  read: ReadCall,
): Promise<RefusalMeaning<SessionEffect> | undefined> {
  const over: RefusalMeaning<SessionEffect> = {
    kind: "done",
    output: { sessionId, status: "left", wasOver: true },
    effects: forgotten(sessionId),
  };
  const { status, code } = error;
  // Whatever a proxy answers says nothing about the session.
  if (status === 429 || code.startsWith("http_")) return { kind: "retry" };
  if (status === 404 && (code === "session_not_found" || code === "agent_not_found")) return over;
  if (status === 403 && code === "forbidden")
    return failure("creator_cannot_leave", `The creator of a session cannot leave it. ${FORGET_IT}`);
  if (code !== "missing_session_key" && code !== "invalid_session_key") return undefined;
  const { state, agentId } = facts.session(sessionId);
  const hasNoKey = failure(
    code,
    `A member cannot leave without the session's key, which nexusd does not have. ${FORGET_IT}`,
  );
  if (code === "missing_session_key" && isMember(state)) return hasNoKey;

  const found = await whoIsIn(sessionId, facts, read);
  if (found === "gone" || (found && !found.includes(agentId))) return over;
  if (!found) return { kind: "retry" };
  if (code === "missing_session_key") return hasNoKey;
  const message = `The server refuses the key of this session, although the agent is still in it. ${FORGET_IT}`;
  return {
    ...failure(code, message),
    effects: [{ sessionId, change: (current) => current && afterKeyRefused(current, message) }],
  };
}

/** For a session that was never joined, or was left already, the key may be missing for that reason. */
const isMember = (state: string) => state === "joined" || state === "joining";

/** The agents of a session; undefined if the answer does not say. @throws HttpError without an answer */
async function whoIsIn(
  sessionId: string,
  facts: MessagingFacts,
  read: ReadCall,
): Promise<unknown[] | "gone" | undefined> {
  try {
    return agentsOf((await read(describeRequest(facts, sessionId))).body);
  } catch (error) {
    if (fieldsOf(error).code === "session_not_found") return "gone";
    throw error;
  }
}
