// Maps the errors of the parts below to the problems of the API.

import type { FastifyError } from "fastify";
import { doorOf } from "../contract/actor.ts";
import { PositionError } from "../contract/position.ts";
import type { Extensions } from "../contract/problem.ts";
import { StoreError } from "../contract/store.ts";
import { type Write, WriteError } from "../contract/writes.ts";
import { HttpError } from "../http/errors.ts";
import { JobError } from "../scheduler/job.ts";
import { OperationError } from "../services/operation.ts";
import { SignatureError } from "../signatures/error.ts";
import { SinkError } from "../sinks/errors.ts";
import { Problem } from "./problem.ts";

export const BODY_LIMIT = 2 ** 20;
export const LONGEST_PARAMETER = 256;

/** An unexpected error of ours reveals nothing to the caller. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof StoreError) return new Problem("store_unavailable", error.message, { cause: error });
  if (error instanceof PositionError || error instanceof JobError)
    return new Problem(error.code, error.message);
  if (error instanceof SinkError) return ofSink(error);
  if (error instanceof WriteError) return ofWrite(error);
  if (error instanceof SignatureError) return ofSignature(error);
  if (error instanceof OperationError) return ofOperation(error);
  if (error instanceof HttpError) return ofService(error);
  return ofFastify(error) ?? unexpected(error);
}

const unexpected = (cause: unknown) =>
  new Problem("internal_error", "Something failed inside nexusd; see its log.", { cause });

const ofSink = ({ code, message, retryAfterMs }: SinkError) =>
  new Problem(code, message, {
    ...(retryAfterMs !== undefined && { headers: { "retry-after": `${Math.ceil(retryAfterMs / 1000)}` } }),
  });

function ofWrite({ code, message, errors, write }: WriteError): Problem {
  return new Problem(code, message, {
    ...(code === "too_many_open_proposals" && { headers: { "retry-after": "60" } }),
    ...(errors && { errors: errors.map(inInput) }),
    ...(write && { writeId: write.id, state: write.state, ...aboutWrite(code, write) }),
  });
}

const ofSignature = ({ code, message, cause }: SignatureError) =>
  new Problem(code, message, {
    cause,
    ...(code === "too_many_verifications" && { headers: { "retry-after": "1" } }),
  });

/** Turns a path in the operation's input into one in the body. */
const inInput = ({ path, message }: { path: string; message: string }) => ({
  path: path === "" || path.startsWith("[") ? `input${path}` : `input.${path}`,
  message,
});

/** What the caller would otherwise need a second request for. */
function aboutWrite(code: WriteError["code"], write: Write): Extensions {
  const { id, state, note, decidedAt, decidedBy } = write;
  switch (code) {
    case "write_already_decided":
      return {
        decision: {
          ...{ state, at: decidedAt, via: decidedBy?.via ?? null, note },
          ...(decidedBy && { door: doorOf(decidedBy), signer: decidedBy.signer ?? null }),
        },
      };
    case "recently_rejected":
      return { rejection: { writeId: id, at: decidedAt, reason: note } };
    default:
      return {};
  }
}

function ofOperation({ code, message }: OperationError): Problem {
  switch (code) {
    case "no_row_matched":
      return new Problem("row_not_found", message);
    case "refused":
      return new Problem("operation_refused", message);
    default:
      return new Problem(code, message);
  }
}

/** Of a service's answer, only code and status are passed on: its body is of unknown origin and may repeat a key. */
function ofService(error: HttpError): Problem {
  const { kind, message, service, code, status, retryAfterMs } = error;
  const told = {
    ...{ service, serviceCode: code },
    ...(status !== undefined && { serviceStatus: status }),
    ...(retryAfterMs !== undefined && { headers: { "retry-after": `${Math.ceil(retryAfterMs / 1000)}` } }),
    cause: error,
  };
  if (kind === "invalid_request") return new Problem("invalid_input", message, told);
  if (kind === "aborted") return new Problem("service_unavailable", message, told);
  if (status === 429 || code === "budget_timeout") return new Problem("service_busy", message, told);
  if (kind === "timeout") return new Problem("service_timeout", message, told);
  // Its own code says more than the status, such as that a pairing code or a table is unknown.
  const isNamed = kind === "status" && !code.startsWith("http_");
  return new Problem("service_error", isNamed ? `${message}: ${code}` : message, told);
}

function ofFastify(error: unknown): Problem | undefined {
  switch (codeOf(error)) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Problem("body_too_large", "A body can have at most 1 MiB.");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Problem(
        "unsupported_media_type",
        'The body must be JSON, with "content-type: application/json"; curl sends that with --json.',
      );
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new Problem("invalid_request", "The body does not have the length that content-length gives.");
    case "FST_ERR_BAD_URL":
      return new Problem("invalid_request", "The path is not a valid URL path.");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new Problem(
        "uri_too_long",
        `A segment of the path has more than ${LONGEST_PARAMETER} characters.`,
      );
    case "ECONNRESET":
      // No client reads this; it only keeps the abort from being logged as a failure of ours.
      return new Problem("invalid_request", "The connection ended before the body was complete.");
    default:
      return undefined;
  }
}

const codeOf = (error: unknown): FastifyError["code"] | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
