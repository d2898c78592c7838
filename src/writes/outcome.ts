// What one attempt to execute a write means: the rules of "at most once", each in one place.

import type { Failure } from "../contract/new-event.ts";
import { StoreError } from "../contract/store.ts";
import { scrubShapes } from "../core/redaction.ts";
import { HttpError } from "../http/errors.ts";
import { type Effect, type Operation, OperationError } from "../services/operation.ts";

export type Attempt =
  | { kind: "done"; output: unknown; effects: Effect[] }
  /** Certainly without effect, and a retry cannot help. */
  | { kind: "refused"; error: Failure; effects?: Effect[] }
  /** Certainly not on the wire: it may be retried, whatever the operation is. */
  | { kind: "not_sent"; error: Failure; retryAfterMs: number }
  /** It was refused for now, which changed nothing. */
  | { kind: "refused_for_now"; error: Failure; retryAfterMs: number }
  /** The service may have acted. Only idempotent writes may be retried, and only if that can help. */
  | { kind: "in_doubt"; error: Failure; canRetryHelp: boolean; retryAfterMs: number };

/** What went wrong before the request of the write was sent. */
export function preparationFailed(error: unknown): Extract<Attempt, { kind: "refused" | "not_sent" }> {
  if (error instanceof HttpError && !canBeRead(error))
    return { kind: "refused", error: { code: error.code, message: said(error) } };
  const isTransient =
    error instanceof HttpError ||
    error instanceof StoreError ||
    (error instanceof OperationError && error.code === "service_unavailable");
  if (isTransient) {
    const retryAfterMs = error instanceof HttpError ? (error.retryAfterMs ?? 0) : 0;
    return { kind: "not_sent", error: failureOf(error), retryAfterMs };
  }
  return { kind: "refused", error: failureOf(error) };
}

/** A failed read can be repeated unless the service refuses it as such. */
const canBeRead = ({ kind, retryable }: HttpError) => retryable || kind === "aborted";

/** Whether the request may have been put on the wire before the sender failed. */
export const maybeSent = (error: unknown): boolean =>
  !(error instanceof OperationError) && !(error instanceof HttpError && !error.maybeSent);

/** What the operation itself knows of the answers of its service. */
type Rules = Pick<Operation, "isRolledBack">;

/** What the error of the sender means. */
export function sendingFailed(error: unknown, operation: Rules = {}): Attempt {
  // From the sender it means that nothing was sent.
  if (error instanceof OperationError) return preparationFailed(error);
  if (!(error instanceof HttpError))
    return { kind: "in_doubt", error: failureOf(error), canRetryHelp: false, retryAfterMs: 0 };

  const failure = { code: error.code, message: said(error) };
  const retryAfterMs = error.retryAfterMs ?? 0;
  if (!error.maybeSent)
    return error.retryable || error.kind === "aborted"
      ? { kind: "not_sent", error: failure, retryAfterMs }
      : { kind: "refused", error: failure };
  // A 401 proves that nothing was done; a retryable one says that it may pass.
  if (error.status === 401 && error.retryable)
    return { kind: "refused_for_now", error: failure, retryAfterMs };
  if (isRefusal(error, operation)) return { kind: "refused", error: failure };
  return { kind: "in_doubt", error: failure, canRetryHelp: error.retryable, retryAfterMs };
}

/** What it means that a 2xx answer was not a success: a retry would give the same. */
export function answerFailed(error: unknown, operation: Rules = {}): Attempt {
  if (error instanceof OperationError || (error instanceof HttpError && isRefusal(error, operation)))
    return { kind: "refused", error: failureOf(error) };
  return { kind: "in_doubt", error: failureOf(error), canRetryHelp: false, retryAfterMs: 0 };
}

/** A complete answer that says that nothing was done. */
const isRefusal = (error: HttpError, { isRolledBack }: Rules) =>
  error.kind === "status" && (isClientError(error.status) || isRolledBack?.(error) === true);

const isClientError = (status = 0) => status >= 400 && status < 500;

const LONGEST_SAID = 500;

/** The message, with the service's reason, without anything that is shaped like a secret. */
function said({ message, body }: HttpError): string {
  if (typeof body !== "object" || body === null) return message;
  const inner = "error" in body && typeof body.error === "object" ? body.error : undefined;
  const words = [body, inner].flatMap((part) => (part && "message" in part ? [part.message] : []));
  const reason = words.find((word) => typeof word === "string" && word.trim() !== "");
  if (typeof reason !== "string") return message;
  const short = reason.length > LONGEST_SAID ? `${reason.slice(0, LONGEST_SAID).toWellFormed()}…` : reason;
  return `${message}: ${scrubShapes(short)}`;
}

/** An error that nobody expected, of nexusd or of an operation. */
export const isDefect = (error: unknown): boolean =>
  !(error instanceof HttpError || error instanceof OperationError || error instanceof StoreError);

/** What it means that nexusd could not store the result of a success. */
export const effectsFailed = (error: unknown): Failure => ({
  code: "internal_error",
  message: `The service did it, but what nexusd keeps of it could not be made (${nameOf(error)}); its log says why.`,
});

/** Of an unexpected error only the name is shown: its message may contain anything. */
function failureOf(error: unknown): Failure {
  if (error instanceof HttpError) return { code: error.code, message: said(error) };
  if (error instanceof OperationError || error instanceof StoreError)
    return { code: error.code, message: error.message };
  return {
    code: "internal_error",
    message: `Something failed inside nexusd (${nameOf(error)}); its log says what.`,
  };
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : typeof error);
