// A failed call as an agent reads it: the code and the remedy in our own words, and separately what others said.

import { isPassing, NexusdError } from "../client/error.ts";
import { PROBLEMS, type ProblemCode } from "../contract/problem-codes.ts";
import { cut, UNTRUSTED_NOTE } from "./foreign.ts";
import { ToolError } from "./tool.ts";

export interface Failure {
  error: { code: string; message: string; remedy?: string; mayPass: boolean; retryAfterSeconds?: number };
  note?: string;
  untrusted?: unknown;
}

/** Remedies for an agent with tools, if they differ from those for a person at a terminal. */
const REMEDIES: Partial<Record<ProblemCode, string>> = {
  invalid_input: "operations_describe shows what the operation takes.",
  not_a_read: "It is a write: call propose.",
  not_a_write: "It is a read: call read.",
  operation_not_found: "Look with operations_find.",
  session_not_found: "sessions_list has the sessions.",
  write_not_found: "An id is what propose and messages_send answered.",
  ack_out_of_order: "Read on with events_read, and acknowledge what it gave.",
  cursor_ahead: "The log ends before this sequence. Acknowledge what events_read gave.",
  consumer_not_found: "An operator makes one with: nexusctl consumers create NAME --if-absent",
};

const AWAY = "The daemon is away. Nothing was lost: events wait in its log. Try again in a little while.";

export function failureOf(error: unknown): Failure {
  if (error instanceof ToolError) return own(error.code, error.message);
  if (error instanceof NexusdError) return ofDaemon(error);
  if (error instanceof Error && error.name === "TimeoutError")
    return {
      error: {
        ...{ code: "timeout", message: "There was no answer in the time that a call of a tool may take." },
        ...{ remedy: "Call again with the same arguments: it is safe.", mayPass: true },
      },
    };
  return own("internal_error", "nexusctl mcp failed. It goes on; the call can be made again.");
}

const own = (code: string, message: string): Failure => ({ error: { code, message, mayPass: false } });

function ofDaemon(error: NexusdError): Failure {
  const { code, problem, retryAfterMs, status } = error;
  const mayPass = isPassing(error);
  const passing = {
    mayPass,
    ...(retryAfterMs !== undefined && { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) }),
  };
  // No daemon has answered: these are our own words.
  if (status === undefined)
    return { error: { code, message: error.message, remedy: mayPass ? AWAY : "See message.", ...passing } };
  const known = Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : undefined;
  const remedy = known === undefined ? "" : (REMEDIES[known] ?? PROBLEMS[known].remedy);
  const { type: _type, title: _title, status: _status, code: _code, ...said } = problem;
  return {
    error: {
      ...{ code: problem.code, message: known ? PROBLEMS[known].title : "nexusd refused." },
      ...{ remedy: `${remedy} \`untrusted.detail\` says more.`.trim(), ...passing },
    },
    note: UNTRUSTED_NOTE,
    untrusted: cut(said).value,
  };
}
