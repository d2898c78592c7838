/** The PostgREST process behind the Nexus gateway: started on a Unix socket, queried through it, never orphaned. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { findPostgrest, noPostgrest } from "./postgrest-program.ts";

/** Bytes of an answer's headers: PostgREST repeats the query in one of them, at twice its length. */
const longestHead = 256 * 1024;
const startTimeoutMs = 30_000;
const startedLines = ["Listening on", "Schema cache loaded"];

/**
 * Runs PostgREST until standard input ends, which happens however the sandbox dies, even by SIGKILL.
 * $1: PostgREST, $2: the directory of its socket, removed at the end.
 * Standard error belongs to PostgREST alone, so that its end is PostgREST's.
 */
const guard = `
  "$1" </dev/null & pid=$!
  exec 2>/dev/null
  read -r _
  kill -9 "$pid"
  wait "$pid"
  rm -rf "$2"
`;

export interface PostgrestOptions {
  /** The directory of the database's socket, and of PostgREST's. Removed when PostgREST ends. */
  directory: string;
  jwtSecret: string;
  dbMaxRows: number;
}

export interface UpstreamAnswer {
  status: number;
  /** Names and values alternate, as sent: a name may occur twice. */
  rawHeaders: string[];
  body: string;
}

export interface Postgrest {
  ask(method: string, path: string, headers: IncomingHttpHeaders, body: string): Promise<UpstreamAnswer>;
  close(): Promise<void>;
}

/** Resolves once PostgREST has read the schema and answers. Throws with PostgREST's last output. */
export async function startPostgrest(options: PostgrestOptions): Promise<Postgrest> {
  const binary = findPostgrest();
  if (binary === undefined) throw new Error(noPostgrest());
  const socket = join(options.directory, "postgrest.sock");
  // In a separate session, so that a terminal's Ctrl-C reaches only the sandbox, which then closes it in order.
  const child = spawn("sh", ["-c", guard, "postgrest-guard", binary, options.directory], {
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH,
      PGRST_DB_URI: `postgresql://authenticator@/postgres?host=${options.directory}`,
      PGRST_DB_SCHEMAS: "public",
      PGRST_DB_ANON_ROLE: "anon",
      PGRST_DB_MAX_ROWS: String(options.dbMaxRows),
      PGRST_JWT_SECRET: options.jwtSecret,
      PGRST_SERVER_UNIX_SOCKET: socket,
      // PGlite is a single backend: one permanent connection, without notifications and named statements.
      PGRST_DB_POOL: "1",
      PGRST_DB_POOL_MAX_LIFETIME: "1000000",
      PGRST_DB_POOL_MAX_IDLETIME: "1000000",
      PGRST_DB_CHANNEL_ENABLED: "false",
      PGRST_DB_PREPARED_STATEMENTS: "false",
    },
  });
  let lastWords = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    lastWords = (lastWords + text).slice(-2000);
  });
  try {
    await started(child, () => lastWords);
  } catch (error) {
    await stop(child);
    throw new Error(`PostgREST did not start: ${lastWords.trim() || error}`, { cause: error });
  }
  return {
    ask: (method, path, headers, body) => ask(socket, method, path, headers, body),
    close: () => stop(child),
  };
}

/** Resolves at the log lines that report it: an early request would make PostgREST read the schema again. */
async function started(child: ChildProcess, log: () => string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`not within ${startTimeoutMs / 1000} s`)), startTimeoutMs);
  child.once("error", reject);
  child.stderr?.once("end", () => reject(new Error("it ended")));
  child.stderr?.on("data", () => {
    if (startedLines.every((line) => log().includes(line))) resolve();
  });
  await promise.finally(() => clearTimeout(timer));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.end();
  await gone;
}

async function ask(
  socketPath: string,
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: string,
): Promise<UpstreamAnswer> {
  const outgoing = request({ socketPath, method, path, headers, agent: false, maxHeaderSize: longestHead });
  outgoing.end(body);
  const [incoming] = await once(outgoing, "response");
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return { status: incoming.statusCode, rawHeaders: incoming.rawHeaders, body: text };
}
