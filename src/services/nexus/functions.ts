// Requests for the edge functions of Nexus, and what their answers say.

import { scrubShapes } from "../../daemon/redact.ts";
import { fieldsOf } from "../input.ts";
import { type Facts, type OperationAnswer, OperationError, type OperationRequest } from "../operation.ts";

export const callFunction = (
  facts: Facts,
  name: string,
  json: Record<string, unknown>,
): OperationRequest => ({
  method: "POST",
  origin: facts.origins.nexus,
  path: `/functions/v1/${name}`,
  label: `POST /functions/v1/${name}`,
  json,
  credential: { kind: "nexus" },
});

const LONGEST_SAID = 300;

/**
 * The answer of a function. Some say in a 200 that they have failed.
 * @throws OperationError `refused`
 */
export function answerOf({ body }: OperationAnswer): unknown {
  const { success, error, message } = fieldsOf(body);
  const isRefusal = success === false || (error !== undefined && error !== null && error !== false);
  if (!isRefusal) return body ?? null;
  const said = [message, fieldsOf(error).message, error].find((word) => typeof word === "string");
  throw new OperationError(
    "refused",
    `Nexus answered that it was not done${said === undefined ? "" : `: ${scrubShapes(String(said)).slice(0, LONGEST_SAID).toWellFormed()}`}`,
  );
}
