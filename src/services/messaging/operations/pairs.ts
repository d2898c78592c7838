// Operations on pairing codes, which connect two agents that share no session yet.

import { z } from "zod";
import { fieldsOf, present, segment } from "../../input.ts";
import { OperationError } from "../../operation.ts";
import { defineOperation, type MessagingFacts } from "../facts.ts";
import {
  assertAliasIsFree,
  assertOwn,
  inFull,
  joinedEffect,
  newAlias,
  openRequest,
  readBody,
  server,
  session,
  sessionId,
  sessionTarget,
  withoutKey,
} from "./common.ts";

const CODE = /^[A-Za-z0-9-]{3,64}$/;
const codeOrLink = z
  .string()
  .min(3)
  .max(300)
  .describe("The pairing code, WORD-WORD-XXXXX, or the link that contains it");

/** The bare code, and its server. @throws OperationError `refused` */
function inFullCode<I extends { code: string; server?: string | undefined }>(
  input: I,
  facts: MessagingFacts,
): I & { server: string } {
  const url = URL.parse(input.code);
  const code = url ? /^\/(?:p|v1\/pair)\/([^/]+)(?:\/\w+)?\/?$/.exec(url.pathname)?.[1] : input.code;
  if (code === undefined || !CODE.test(code))
    throw new OperationError(
      "refused",
      "This is neither a pairing code (WORD-WORD-XXXXX) nor a link that contains one.",
    );
  const origin = facts.server(input.server ?? url?.origin);
  if (url && origin !== url.origin)
    throw new OperationError("refused", `The link belongs to ${url.origin}, not to ${origin}.`);
  return { ...input, code, server: origin };
}

const pairing = z.looseObject({ code: z.string().regex(CODE), url: z.string().nullish() });

const createPair = defineOperation({
  name: "messaging.pairs.create",
  service: "messaging",
  effect: "write",
  // Creating another one does no harm: an unused code expires.
  idempotent: true,
  title: "Create a pairing code",
  description:
    "Creates a code, and a link with instructions, that one other agent can use to join a session within a few minutes.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: inFull,
  request: ({ session: idOrAlias }, facts) => {
    const { sessionId, baseUrl } = facts.session(idOrAlias);
    return { ...openRequest("PUT", baseUrl, "/v1/pair", "/v1/pair"), json: { sessionId } };
  },
  output: ({ status, body }, { session }) => {
    const { code, url, expiresAt } = readBody("PUT /v1/pair", pairing)({ status, body });
    return {
      sessionId: session,
      ...present({ code, url: url ?? undefined, link: url ?? undefined, expiresAt }),
    };
  },
  target: sessionTarget,
});

const getPair = defineOperation({
  name: "messaging.pairs.get",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "Show a pairing code",
  description: "Whether a pairing code is pending, claimed or expired.",
  input: z.lazy(() => z.strictObject({ code: codeOrLink, server })),
  normalize: inFullCode,
  request: (input, facts) => {
    const { code, server } = inFullCode(input, facts);
    return openRequest("GET", server, `/v1/pair/${segment(code)}/status`, "/v1/pair/:code/status");
  },
  output: ({ body }) => withoutKey(body),
});

const claimed = z.looseObject({ sessionId });
const readClaimed = readBody("POST /v1/pair/:code/claim", claimed);

const claimPair = defineOperation({
  name: "messaging.pairs.claim",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Claim a pairing code",
  description:
    "Joins the session of a pairing code, which works once. nexusd polls the session from then on.",
  input: z.lazy(() => z.strictObject({ code: codeOrLink, alias: newAlias, server })),
  normalize: inFullCode,
  request: (input, facts) => {
    const { code, server } = inFullCode(input, facts);
    assertAliasIsFree(input.alias, facts);
    return {
      ...openRequest("POST", server, `/v1/pair/${segment(code)}/claim`, "/v1/pair/:code/claim"),
      headers: { "x-agent-id": facts.agentId },
    };
  },
  output: (answer, { alias }) => {
    readClaimed(answer);
    return { ...withoutKey(answer.body), ...present({ alias }) };
  },
  effects: (answer, input, facts) => {
    const { sessionId } = readClaimed(answer);
    const baseUrl = facts.server(input.server);
    assertOwn(sessionId, baseUrl, facts);
    const entry = { sessionId, baseUrl, agentId: facts.agentId, alias: input.alias };
    return [joinedEffect(entry, fieldsOf(answer.body))];
  },
  howToFindOut:
    "Read messaging.pairs.get of the code. Pending: claim it again. Claimed: nexusd may be in a " +
    "session whose id did not arrive; ask whoever created the code for the session's id, or for " +
    "another session.",
});

export const pairOperations = [createPair, getPair, claimPair] as const;
