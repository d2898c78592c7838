// What an operation is: one thing that a service can do, from its input to the request, with its effect declared.

import type { z } from "zod";
import type { Failure, Service } from "../contract/new-event.ts";
import type { HttpRequest } from "../http/client.ts";
import type { HttpError } from "../http/errors.ts";

/** Which credential goes along: its service adds it, the preview names it, and nothing else ever holds it. */
export interface Credential {
  /** "none", "session", or the name of the service whose key it is. */
  readonly kind: string;
  /** The headers that it brings, with what a person is shown instead: `‹api key›`. */
  readonly headers: Readonly<Record<string, string>>;
}

export const NO_CREDENTIAL: Credential = { kind: "none", headers: {} };

/** A request as an operation wants it: everything of it that is not a credential. */
export interface OperationRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Scheme, host and port: the service's, or the server that a session is bound to. */
  origin: string;
  /** Path and query, encoded. */
  path: string;
  /** The path with placeholders, for logs and errors: "PATCH /rest/v1/orders". */
  label: string;
  /** Without those of the credential. Names in lower case. */
  headers?: Record<string, string>;
  /** Sent as JSON, integers above 2^53 (bigint) exact. */
  json?: unknown;
  credential: Credential;
  /** Of a read: an answer that is at most so many milliseconds old will do. */
  maxAgeMs?: number;
}

/** What a request depends on beside its input, read once before it is built; it makes `request` a pure function. */
export interface Facts {
  /** Of the service, as it is configured. */
  readonly origin: string;
}

/** What of a request is shown to a person. */
export interface ShownRequest {
  /** Whole, with the query. */
  url: string;
  headers: readonly { name: string; value: string }[];
  body: string | null;
}

/** Of a service by its name. @throws OperationError `service_disabled` */
export type ReadFacts = (service: string) => Promise<Facts>;

/** An answer as an operation reads it. */
export interface OperationAnswer {
  status: number;
  headers: Record<string, string>;
  /** Parsed exactly; undefined when the body was empty. */
  body: unknown;
}

/** A change to what nexusd keeps of the service; only the `changes` of that service know what is in it. */
export type Effect = unknown;

/** Sends one read on behalf of an operation: for preconditions and for finding out what became of a write. */
export type ReadCall = (request: OperationRequest) => Promise<OperationAnswer>;

/** A text in what a write sends. */
export interface OutgoingText {
  /** Where it is in the input: `["json", "steps", 2]`. */
  path: (string | number)[];
  text: string;
  /** The name of the member that holds it, where that is the caller's own and goes out too. */
  name?: string;
}

/** What nexusd keeps of the thing that a write would change, for whoever decides about it. */
export interface LocalView {
  /** What people call it; null: it has no name. */
  label: string | null;
  /** How it is, by the names that the input has for the same; left out where that is not kept. */
  fields: Readonly<Record<string, unknown>>;
  /** When that was read, RFC 3339; null: nobody knows. */
  asOf: string | null;
}

/** What a look at the service says about a write whose outcome was in doubt. */
export type Finding<E = Effect> =
  | { kind: "done"; output: unknown; effects?: E[] }
  | { kind: "not_found" }
  | { kind: "cannot_tell" };

/** What a refusal means where it is not simply a failure of the write. */
export type RefusalMeaning<E = Effect> =
  | { kind: "done"; output: unknown; effects?: E[] }
  | { kind: "failed"; error: Failure; effects?: E[] }
  /** It says nothing yet: ask again later. */
  | { kind: "retry" };

export interface Operation<I = unknown, F extends Facts = Facts, E = Effect> {
  /** `service.noun.verb` */
  name: string;
  service: Service;
  effect: "read" | "write";
  /** Whether doing it twice is the same as once: only then is it ever repeated. */
  idempotent: boolean;
  /** Deletes for good: shown as such, and never covered by a wildcard `auto` policy. */
  destructive: boolean;
  /** The same of some of its inputs, as they are stored. */
  isDestructiveFor?: (input: I, facts: F) => boolean;
  title: string;
  description: string;
  /** A strict object, every field described. */
  input: z.ZodType<I>;
  /** JSON Schema of the input as the service gives it; default: made from `input`. */
  inputSchema?: Record<string, unknown>;
  /** The input with what is only a local name (an alias) put in full: this is what is stored, shown and approved. */
  normalize?: (input: I, facts: F) => I;
  /**
   * The request, of the input, the facts and what the precondition read. Left out: a write that changes only what
   * nexusd itself keeps.
   */
  request?: (input: I, facts: F, read?: unknown) => OperationRequest;
  /** Reads the answer leniently. @throws HttpError or OperationError when a 2xx says that nothing was done */
  output: (answer: OperationAnswer, input: I, read?: unknown) => unknown;
  /**
   * What nexusd itself keeps of a write that succeeded: committed in one transaction with its result. Keys go here,
   * never into the output. @throws OperationError where the answer cannot be right
   */
  effects?: (answer: OperationAnswer, input: I, facts: F) => E[];
  /** The same of one whose outcome stays unknown. */
  effectsInDoubt?: (input: I, facts: F) => E[];
  /** The session that it takes us out of, which the job must not enter again meanwhile. */
  holds?: (input: I) => string;
  /**
   * Reads a complete answer of 4xx to its request: undefined, a failure under the code of the service. An HttpError of
   * `read` means that it cannot be told yet. `facts` are those that the request was made of, `now` gives today's.
   */
  refused?: (
    error: HttpError,
    input: I,
    facts: F,
    read: ReadCall,
    now: () => Promise<F>,
  ) => Promise<RefusalMeaning<E> | undefined>;
  /** Writes of the same target are executed one after the other; default: the operation's name. */
  target?: (input: I) => string;
  /** Whether an answer that is no 4xx proves all the same that nothing was done. */
  isRolledBack?: (error: HttpError) => boolean;
  /**
   * What must still be so when it is executed: read at the proposal, shown, stored, and read again just before.
   * Compared as canonical JSON.
   */
  precondition?: (input: I, facts: F, read: ReadCall) => Promise<unknown>;
  /** Looks for the effect of a write whose answer was lost. `startedAt` in ms since the epoch. */
  readBack?: (input: I, facts: F, read: ReadCall, startedAt: number) => Promise<Finding<E>>;
  /** How a write with it is named to a person, by what it is done to; left out: by the operation's own words. */
  subject?: (name: string) => string;
  /** What a person who decides a write should know beside the request; kept with the proposal. */
  notice?: () => string | undefined;
  /** For a person, when the outcome stays unknown: how to find out. */
  howToFindOut?: string;
}

/** How a service declares its operations: with the types of its facts, and of the input of each. */
export const defineOperationsOf =
  <F extends Facts, E = Effect>() =>
  <I>(
    operation: Omit<Operation<I, F, E>, "destructive"> & { destructive?: boolean },
  ): Operation<I, F, E> => ({
    destructive: false,
    ...operation,
  });

export type OperationErrorCode =
  | "session_not_found"
  | "ambiguous_session"
  | "service_unavailable"
  | "service_disabled"
  | "no_row_matched"
  | "tool_failed"
  | "plan_limit_exceeded"
  | "refused";

/** A refusal that comes from nexusd itself, not from HTTP. */
export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly code: OperationErrorCode;

  constructor(code: OperationErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** On whose behalf a request is sent, and who is told how long it waited for the limits of nexusd. */
export type SentFor = Pick<HttpRequest, "onWaited"> & {
  /** Default: that of an agent's read or write. */
  priority?: "people" | "agent_reads" | "agent_writes";
};

/** How one request of an operation is sent. */
export type Sending = Pick<HttpRequest, "onWaited" | "waitMs"> & {
  signal: AbortSignal;
  /** Put on the wire at most once. */
  once: boolean;
  priority: NonNullable<SentFor["priority"]>;
};

/** Sends the requests of operations, each to the service that it is one of; made in src/services/sender.ts. */
export interface OperationSender {
  /** A read: under the budget, retried while that can help, cancelled by `signal`. @throws HttpError */
  read(
    service: string,
    request: OperationRequest,
    signal: AbortSignal,
    sentFor?: SentFor,
  ): Promise<OperationAnswer>;
  /**
   * A write: put on the wire at most once. Where the error says `maybeSent: false` nothing was sent.
   * @throws HttpError
   */
  writeOnce(
    service: string,
    request: OperationRequest,
    signal: AbortSignal,
    sentFor?: SentFor,
  ): Promise<OperationAnswer>;
}
