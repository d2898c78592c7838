// What a JSON-RPC response of the MCP server says: the result, or a failure with its kind.

import { parseJson } from "../../../core/exact-json.ts";
import { scrubShapes } from "../../../core/redaction.ts";
import { HttpError } from "../../../http/errors.ts";
import { fieldsOf } from "../../input.ts";
import { type OperationAnswer, OperationError } from "../../operation.ts";

/** Codes with which a server says that it did not begin: not understood, no such method or tool, wrong arguments. */
const REFUSALS = new Set([-32_700, -32_600, -32_601, -32_602, -32_002]);

/**
 * The result of a response.
 * @throws OperationError `refused`; HttpError if the server failed in a way that leaves open what it did
 */
export function resultOf({ status, body }: OperationAnswer, label: string): Record<string, unknown> {
  const { result, error } = fieldsOf(body);
  if (error === undefined) return fieldsOf(result);
  const { code, message } = fieldsOf(error);
  if (typeof code === "number" && REFUSALS.has(code))
    throw new OperationError("refused", `Nexus refused it${said(message)}`);
  throw new HttpError({
    kind: "invalid_body",
    service: "nexus",
    label,
    status,
    code: typeof code === "number" ? `rpc_${code}` : "rpc_error",
    message: `nexus: ${label} failed at Nexus${said(message)}`,
    retryable: false,
    maybeSent: true,
  });
}

/**
 * The output of a tool: its structured content, else the JSON in its text, else its content unchanged.
 * @throws OperationError `tool_failed`, `plan_limit_exceeded`, `refused`; HttpError
 */
export function toolOutput(answer: OperationAnswer, label: string): unknown {
  const result = resultOf(answer, label);
  const content = Array.isArray(result.content) ? result.content.map(fieldsOf) : [];
  const texts = content.flatMap(({ type, text }) =>
    type === "text" && typeof text === "string" ? [text] : [],
  );
  const isOnlyText = texts.length === 1 && content.length === 1;
  const data = result.structuredContent ?? (isOnlyText ? jsonIn(texts.join()) : undefined);
  const { error, message, success } = fieldsOf(data);
  if (error === PLAN_LIMIT)
    throw new OperationError(
      "plan_limit_exceeded",
      `The plan of the organization does not allow more of this${said(message)}`,
    );
  const hasFailed = result.isError === true || success === false || typeof error === "string";
  if (hasFailed)
    throw new OperationError(
      "tool_failed",
      `The tool reported a failure${said(message ?? error ?? texts.join(" "))}`,
    );
  return data ?? { content: result.content ?? [] };
}

const PLAN_LIMIT = "plan_limit_exceeded";
const LONGEST_SAID = 500;

const said = (message: unknown): string =>
  typeof message === "string" && message.trim() !== ""
    ? `: ${scrubShapes(message.trim()).slice(0, LONGEST_SAID).toWellFormed()}`
    : ".";

/** An object or a list; a text that merely happens to be a number or a word stays a text. */
function jsonIn(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
