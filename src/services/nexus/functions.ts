// Requests for the edge functions of Nexus, and what their answers mean.

import { scrubShapes } from "../../core/redaction.ts";
import { unexpectedShape } from "../../http/answer.ts";
import { fieldsOf } from "../input.ts";
import { type OperationAnswer, OperationError, type OperationRequest } from "../operation.ts";
import { AGENT_TOKEN, type NexusFacts } from "./facts.ts";

export const callFunction = (
  facts: NexusFacts,
  name: string,
  json: Record<string, unknown>,
): OperationRequest => ({
  method: "POST",
  origin: facts.origin,
  path: `/functions/v1/${name}`,
  label: `POST /functions/v1/${name}`,
  json,
  credential: AGENT_TOKEN,
});

const LONGEST_SAID = 300;

/**
 * The answer of a function that acts: an object. Some report a failure with status 200.
 * @throws OperationError `refused`; HttpError if it is something else, and what was done is unknown
 */
export function answerOf(answer: OperationAnswer): Record<string, unknown> {
  const body = listOf(answer);
  if (Array.isArray(body)) throw unexpected(answer);
  return fieldsOf(body);
}

/** The answer of a function that lists: an object or a list. @throws as `answerOf` */
export function listOf(answer: OperationAnswer): unknown {
  const { body } = answer;
  if (typeof body !== "object" || body === null) throw unexpected(answer);
  const { success, error, message } = fieldsOf(body);
  const isRefusal = success === false || (error !== undefined && error !== null && error !== false);
  if (!isRefusal) return body;
  const said = [message, fieldsOf(error).message, error].find((word) => typeof word === "string");
  throw new OperationError(
    "refused",
    `Nexus answered that it was not done${said === undefined ? "" : `: ${scrubShapes(String(said)).slice(0, LONGEST_SAID).toWellFormed()}`}`,
  );
}

const unexpected = ({ status }: OperationAnswer) =>
  unexpectedShape(
    { service: "nexus", label: "a function", status },
    "in an unknown form: what it did is unknown",
  );
