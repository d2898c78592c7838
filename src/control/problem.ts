// Every refusal and failure that the API can answer with: its code, its status, and its body (RFC 9457).

import type { ServerResponse } from "node:http";
import { z } from "zod";

const PROBLEMS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  invalid_json: { status: 400, title: "The body is not JSON" },
  invalid_input: { status: 400, title: "The operation does not take this input" },
  not_a_read: { status: 400, title: "The operation is not a read" },
  not_a_write: { status: 400, title: "The operation is not a write" },
  forbidden_origin: { status: 403, title: "Not a local client" },
  operator_only: { status: 403, title: "Only on the operators' socket" },
  plan_limit_exceeded: { status: 403, title: "The plan at the service allows no more" },
  policy_denied: { status: 403, title: "The policy denies this operation" },
  token_required: { status: 403, title: "Bound to the token of who made it" },
  not_found: { status: 404, title: "No such resource" },
  consumer_not_found: { status: 404, title: "No such consumer" },
  job_not_found: { status: 404, title: "No such job" },
  operation_not_found: { status: 404, title: "No such operation" },
  audit_row_not_found: { status: 404, title: "The audit log has no such row" },
  row_not_found: { status: 404, title: "The service has no such row" },
  session_not_found: { status: 404, title: "No such session" },
  write_not_found: { status: 404, title: "No such write" },
  method_not_allowed: { status: 405, title: "Not with this method" },
  request_timeout: { status: 408, title: "The request did not arrive in time" },
  ambiguous_session: { status: 409, title: "More than one session matches" },
  audit_broken: { status: 409, title: "The audit log is not as it was written" },
  digest_mismatch: { status: 409, title: "It is not what was shown" },
  idempotency_conflict: { status: 409, title: "The idempotency key belongs to another write" },
  operation_refused: { status: 409, title: "The operation cannot be done as things are" },
  recently_rejected: { status: 409, title: "The same write was rejected a short while ago" },
  service_disabled: { status: 409, title: "The service is disabled" },
  stale: { status: 409, title: "It would not be sent with the account that it was proposed for" },
  write_already_decided: { status: 409, title: "The write is decided already" },
  write_expired: { status: 409, title: "The write has expired" },
  write_not_unknown: { status: 409, title: "The outcome of the write is not in doubt" },
  cursor_ahead: { status: 409, title: "The position is beyond the end of the log" },
  epoch_changed: { status: 409, title: "The log is another one" },
  job_not_runnable: { status: 409, title: "The job cannot run now" },
  body_too_large: { status: 413, title: "The body is too large" },
  proposal_too_large: { status: 413, title: "The proposal is too large" },
  preview_too_long: { status: 413, title: "The preview is too long to be approved" },
  too_many_types: { status: 413, title: "Too many event types for one consumer" },
  uri_too_long: { status: 414, title: "The path is too long" },
  unsupported_media_type: { status: 415, title: "The body must be JSON" },
  expectation_failed: { status: 417, title: "The expectation cannot be met" },
  invalid_config: { status: 422, title: "The configuration is not valid" },
  secret_in_text: { status: 422, title: "The text holds a secret" },
  too_many_answer_bytes: { status: 429, title: "Too many answers wait to be read" },
  too_many_connections: { status: 429, title: "Too many connections" },
  too_many_consumers: { status: 429, title: "Too many consumers" },
  too_many_long_polls: { status: 429, title: "Too many requests wait for something" },
  too_many_open_proposals: { status: 429, title: "Too many writes are open" },
  too_many_reads: { status: 429, title: "Too many reads are under way" },
  too_many_request_bytes: { status: 429, title: "Too many bodies are under way" },
  too_many_requests: { status: 429, title: "Too many requests wait for their turn" },
  too_many_streams: { status: 429, title: "Too many event streams" },
  headers_too_large: { status: 431, title: "The headers are too large" },
  internal_error: { status: 500, title: "nexusd failed" },
  tool_failed: { status: 502, title: "The tool of the service failed" },
  service_error: { status: 502, title: "The service failed" },
  service_busy: { status: 503, title: "The service takes no more requests now" },
  service_unavailable: { status: 503, title: "The service cannot be used now" },
  unknown_socket: { status: 503, title: "This is not one of the sockets of nexusd" },
  store_unavailable: { status: 503, title: "The database cannot be used" },
  service_timeout: { status: 504, title: "The service did not answer in time" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;
type ProblemStatus = (typeof PROBLEMS)[ProblemCode]["status"];

/** `path` is the field as one would write it in code: "limit", "types[0]". */
const fieldError = z.object({
  path: z.string(),
  message: z.string(),
  file: z.string().optional().describe("The file that it stands in"),
  line: z.int().optional().describe("The line of that file, from 1, where it is known"),
});

/** What some problems tell beside the members that all have (RFC 9457, section 3.2). */
const extensions = {
  errors: z.array(fieldError).optional(),
  decision: z
    .object({
      state: z.string(),
      at: z.string().nullable(),
      via: z.string().nullable(),
      note: z.string().nullable(),
    })
    .optional()
    .describe("What was decided, when, by which way, and the operator's words"),
  rejection: z
    .object({ writeId: z.string(), at: z.string().nullable(), reason: z.string().nullable() })
    .optional()
    .describe("The rejection that stands against proposing the same again"),
  writeId: z.string().optional().describe("The write that the refusal is about"),
  state: z.string().optional().describe("The state of that write"),
  service: z.string().optional(),
  serviceCode: z.string().optional().describe("The service's own code, or `http_<status>`"),
  serviceStatus: z.int().optional().describe("The status that the service answered with"),
};

export type Extensions = z.output<z.ZodObject<typeof extensions>>;

interface ProblemOptions extends Extensions {
  headers?: Record<string, string>;
  cause?: unknown;
}

/** Thrown by a handler, answered as problem+json. Its message is the `detail`, for the caller to read. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly extensions: Extensions;
  readonly headers: Record<string, string>;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    const { headers = {}, cause, ...members } = options;
    super(detail, { cause });
    this.code = code;
    this.extensions = members;
    this.headers = headers;
  }

  get status(): ProblemStatus {
    return PROBLEMS[this.code].status;
  }
}

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    ...extensions,
  })
  .meta({ id: "Problem", description: "RFC 9457; `code` is stable" });

export const problemBody = (problem: Problem): z.output<typeof problemSchema> => ({
  type: `urn:nexusd:problem:${problem.code}`,
  title: PROBLEMS[problem.code].title,
  status: problem.status,
  detail: problem.message,
  code: problem.code,
  ...problem.extensions,
});

/** Answers where fastify is not, or not yet, in charge. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  const body = JSON.stringify(problemBody(problem));
  response.writeHead(problem.status, {
    ...problem.headers,
    "content-type": PROBLEM_TYPE,
    "content-length": Buffer.byteLength(body),
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

type ProblemAnswers = Partial<
  Record<ProblemStatus, { description: string; content: Record<string, { schema: typeof problemSchema }> }>
>;

/** What a route with a body can answer beside its own problems. */
export const BODY_PROBLEMS = [
  "invalid_json",
  "body_too_large",
  "too_many_request_bytes",
  "unsupported_media_type",
] as const;
const ANYWHERE = [
  "forbidden_origin",
  "too_many_connections",
  "too_many_requests",
  "too_many_answer_bytes",
  "store_unavailable",
  "internal_error",
] as const;

/** The `response` entries of a route that can answer with these problems, for the API's description. */
export function problems(...codes: ProblemCode[]): ProblemAnswers {
  const answers: ProblemAnswers = {};
  for (const code of [...codes, ...ANYWHERE]) {
    const { status } = PROBLEMS[code];
    const before = answers[status];
    answers[status] = {
      description: before ? `${before.description}, \`${code}\`` : `\`${code}\``,
      content: { "application/problem+json": { schema: problemSchema } },
    };
  }
  return answers;
}
