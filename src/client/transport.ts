// HTTP over the daemon's Unix sockets, using only node:http, so that a program starts fast.

import type { IncomingMessage, RequestOptions } from "node:http";
import { parseJson, stringifyJson } from "../core/exact-json.ts";
import { NexusdError, type Problem } from "./error.ts";

// Not imported: an import reads every export, and `WebSocket` loads a whole HTTP client that is not used here, which
// costs 12 MB of memory and most of the startup time of a small program.
const { Agent, request: httpRequest } = process.getBuiltinModule("node:http");
const { statSync } = process.getBuiltinModule("node:fs");

/** agent.sock reads, follows and proposes; operator.sock can do all that and decide. */
export type Role = "agent" | "operator";

export interface Sockets {
  path(role: Role): string | Promise<string>;
  /** The error if nothing listens at `path`; default: one that says so. */
  absent?(role: Role, path: string, cause: unknown): NexusdError | Promise<NexusdError>;
}

export interface Answer {
  status: number;
  /** The body exactly as received. */
  text: string;
  /** The epoch of the log that answered. */
  epoch: string | undefined;
  headers: IncomingMessage["headers"];
}

export interface CallOptions {
  /** Sent as JSON, bigint as its digits. */
  body?: unknown;
  /** Which socket; default: the agents'. */
  role?: Role | undefined;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
  /** The longest time without data, in milliseconds; default 15,000. */
  timeoutMs?: number;
}

export interface StreamOptions {
  role?: Role | undefined;
  headers: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The stream counts as dead after this long without data, in milliseconds. */
  silenceMs: number;
}

export interface Transport {
  /** @throws NexusdError for a status other than 2xx, or no answer; the signal's reason */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Resolves at the headers of a 200. @throws as `call` */
  stream(path: string, options: StreamOptions): Promise<IncomingMessage>;
  /** Closes idle connections. */
  close(): void;
}

const TIMEOUT_MS = 15_000;
/** The daemon's limit. */
const LARGEST_BODY = 2 ** 20;
const TOO_LARGE: Problem = {
  ...{ title: "The body is too large", status: 413, code: "body_too_large" },
  detail: "A body can have at most 1 MiB.",
};
/** Idempotent methods: a request lost on a kept-alive connection is sent again. */
export const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** Parses a JSON body, integers above 2^53 as bigint. @throws NexusdError `bad_answer` */
export function parsed<T>(answer: Answer): T {
  try {
    return parseJson(answer.text) as T; // the daemon's own contract, which only adds fields
  } catch (cause) {
    throw new NexusdError(
      {
        title: "Not an answer of nexusd",
        detail: "What listens at the socket did not answer with JSON; is it nexusd?",
        code: "bad_answer",
      },
      { cause },
    );
  }
}

/** @param options keepAlive: whether connections are reused for the next request; they do not keep a process alive */
export function createTransport(sockets: Sockets, options: { keepAlive: boolean }): Transport {
  const agent = options.keepAlive ? new Agent({ keepAlive: true, maxFreeSockets: 4 }) : undefined;

  const send = (
    request: RequestOptions,
    payload: string | undefined,
    timeoutMs: number,
    mayRepeat: boolean,
  ) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest({ ...request, agent: (mayRepeat && agent) || false }, resolve);
      outgoing.on("error", (error) => {
        // The daemon closed it while it was idle, or was killed: a new connection tells which.
        if (mayRepeat && outgoing.reusedSocket && errorCode(error) === "ECONNRESET")
          resolve(send(request, payload, timeoutMs, false));
        else reject(error);
      });
      outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new SilenceError(timeoutMs)));
      outgoing.end(payload);
    });

  /** If this user may not open the agents' socket, agents' requests use the operators'. */
  const overSocket = async (
    role: Role,
    asked: string,
    attempt: (path: string) => Promise<IncomingMessage>,
  ) => {
    const path = await sockets.path(role);
    try {
      return await attempt(path);
    } catch (error) {
      const code = errorCode(error);
      if (code === "EACCES" && role === "agent") {
        const other = await sockets.path("operator");
        if (other !== path) {
          try {
            return await attempt(other);
          } catch {
            // The original error counts: the person has to fix the access to the agents' socket.
          }
        }
      }
      throw await asFailure(error, code, { path, asked, role, sockets });
    }
  };

  const open = (method: string, path: string, options: CallOptions) => {
    const { body, role = "agent", signal, headers, timeoutMs = TIMEOUT_MS } = options;
    const payload = body === undefined ? undefined : stringifyJson(body);
    const length = payload === undefined ? 0 : Buffer.byteLength(payload);
    // The daemon would hang up in the middle of it, often before its refusal can be read.
    if (length > LARGEST_BODY) throw new NexusdError(TOO_LARGE);
    const request: RequestOptions = {
      ...{ method, path },
      headers: {
        host: "nexusd",
        accept: "application/json, text/event-stream",
        ...(payload === undefined ? {} : { "content-type": "application/json", "content-length": length }),
        ...headers,
      },
      ...(signal && { signal }),
    };
    return overSocket(role, `${method} ${path}`, (socketPath) =>
      send({ ...request, socketPath }, payload, timeoutMs, REPEATABLE.has(method)),
    );
  };

  return {
    async call(method, path, options = {}) {
      return await readAnswer(await open(method, path, options), method, path);
    },
    async stream(path, { silenceMs, ...options }) {
      const response = await open("GET", path, { ...options, timeoutMs: silenceMs });
      if (response.statusCode !== 200) await readAnswer(response, "GET", path);
      return response;
    },
    close: () => agent?.destroy(),
  };
}

class SilenceError extends Error {
  readonly code = "SILENCE";

  constructor(ms: number) {
    super(`no answer for ${ms / 1000} s`);
  }
}

const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** Connecting to a regular file also fails with "connection refused". */
function isOtherThanSocket(path: string): boolean {
  try {
    return !statSync(path).isSocket();
  } catch {
    return false;
  }
}

async function asFailure(
  error: unknown,
  code: string,
  { path, asked, role, sockets }: { path: string; asked: string; role: Role; sockets: Sockets },
): Promise<unknown> {
  if (code === "ABORT_ERR") return error;
  const failure = (code: string, title: string, detail: string) =>
    new NexusdError({ title, detail, code }, { cause: error });
  if (code === "ECONNREFUSED" && isOtherThanSocket(path))
    return failure("not_a_socket", "Not a socket", `${path} is there, but is not a socket.`);
  if (code === "ENOENT" || code === "ECONNREFUSED")
    return (
      (await sockets.absent?.(role, path, error)) ??
      failure("no_daemon", "No daemon", `No daemon at ${path}.`)
    );
  if (code === "EACCES")
    return new NexusdError(
      {
        ...{ title: "Not allowed", status: 403, code: "socket_forbidden" },
        detail: `This user may not connect to ${path}. Run as its owner or join its group (ls -l ${path}).`,
      },
      { cause: error },
    );
  const why = error instanceof Error ? error.message : String(error);
  return failure(
    code === "SILENCE" ? "timeout" : "connection_failed",
    "No answer",
    `${asked} over ${path} failed: ${why}. Is the daemon healthy? Its log says more.`,
  );
}

async function readAnswer(response: IncomingMessage, method: string, path: string): Promise<Answer> {
  response.setEncoding("utf8");
  let text = "";
  try {
    for await (const chunk of response) text += chunk;
  } catch (cause) {
    if (errorCode(cause) === "ABORT_ERR") throw cause;
    const detail = `The daemon went away while it answered ${method} ${path}.`;
    throw new NexusdError({ title: "Connection lost", detail, code: "connection_failed" }, { cause });
  }
  const epoch = response.headers["nexusd-epoch"];
  const answer: Answer = {
    status: response.statusCode ?? 0,
    text,
    epoch: typeof epoch === "string" ? epoch : undefined,
    headers: response.headers,
  };
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusal(answer);
}

function refusal({ status, text, epoch, headers }: Answer): NexusdError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not nexusd's own answer: described below.
  }
  if (typeof body === "object" && body !== null && "code" in body) {
    const problem: Problem = { title: "Refused", detail: "", status, ...body, code: String(body.code) };
    if (!problem.detail) problem.detail = problem.title;
    const seconds = Number(headers["retry-after"] ?? Number.NaN);
    return new NexusdError(problem, {
      ...{ json: text.trim(), epoch },
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    });
  }
  const detail = `What listens at the socket answered ${status} without a problem document; is it nexusd?`;
  return new NexusdError({ title: "Not an answer of nexusd", status, detail, code: "bad_answer" }, { epoch });
}
