// Refusals and failures, as handlers throw them and as they are answered.

import type { ServerResponse } from "node:http";
import { type Extensions, type ProblemBody, problemSchema } from "../contract/problem.ts";
import { PROBLEMS, type ProblemCode, type ProblemStatus } from "../contract/problem-codes.ts";

interface ProblemOptions extends Extensions {
  headers?: Record<string, string>;
  cause?: unknown;
}

/** Thrown by a handler, answered as problem+json. Its message becomes the `detail`, for the caller to read. */
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

export const problemBody = (problem: Problem): ProblemBody => ({
  type: `urn:nexusd:problem:${problem.code}`,
  title: PROBLEMS[problem.code].title,
  status: problem.status,
  detail: problem.message,
  code: problem.code,
  ...problem.extensions,
});

/** Answers before or outside fastify. */
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

/** What a route with a body can answer besides its own problems. */
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
