// nexusctl as a real process, and a small daemon on a real socket for it to talk to, with a log that outlives it.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/run.ts";
import { COMPILE_CACHE } from "./compile-cache.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliProcess {
  child: ChildProcess;
  /** What is on stdout so far, line by line; an unfinished last line is left out. */
  lines(): string[];
  /** Resolves as soon as the condition holds; rejects if the process ends first. */
  until(condition: (process: CliProcess) => boolean): Promise<void>;
  stdout(): string;
  stderr(): string;
  ended: Promise<CliResult>;
}

/** Starts nexusctl without any environment variable that could lead it to another daemon. */
export function spawnCli(args: string[], env: Record<string, string> = {}, cwd?: string): CliProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...COMPILE_CACHE, PATH: process.env.PATH, ...env },
    ...(cwd && { cwd }),
  });
  let stdout = "";
  let stderr = "";
  let hasEnded = false;
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const check of [...waiting]) check();
  };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    changed();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    changed();
  });
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      hasEnded = true;
      resolve({ code, stdout, stderr });
      changed();
    });
  });
  const handle: CliProcess = {
    child,
    lines: () => stdout.split("\n").slice(0, -1),
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    until: (condition) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (condition(handle)) resolve();
          else if (hasEnded) reject(new Error(`nexusctl ended too early: ${stdout}${stderr}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
  return handle;
}

export const runCli = (args: string[], env?: Record<string, string>, cwd?: string): Promise<CliResult> =>
  spawnCli(args, env, cwd).ended;

/** nexusctl inside this process; with `columns`, as at a terminal of that width. */
export async function runHere(
  args: string[],
  columns?: number,
  env: Record<string, string> = {},
  stdin = "",
): Promise<CliResult> {
  const written = { stdout: "", stderr: "" };
  const capture = (name: "stdout" | "stderr") =>
    new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        written[name] += chunk;
        done();
      },
    });
  const code = await run(args, {
    stdout: capture("stdout"),
    stderr: capture("stderr"),
    stdin: Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]),
    tty: undefined,
    env,
    terminal: columns === undefined ? undefined : { columns },
    signal: new AbortController().signal,
  });
  return { code, ...written };
}

export interface FakeDaemon {
  dir: string;
  socket: string;
  /** Set it to start another log. */
  epoch: string;
  /** CloudEvents as their exact text; the index is the sequence minus one. */
  log: string[];
  /** Sequences up to this one were removed by retention. */
  pruned: number;
  /** "GET /v1/status" and the like, in order. */
  requests: string[];
  /** Answers instead of the contract's. */
  override: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Appends, and sends to the open streams. */
  append(type: string, data: unknown, more?: Record<string, unknown>): void;
  appendRaw(json: string): void;
  start(): Promise<void>;
  /** Cuts every connection, like a killed daemon. */
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export function createFakeDaemon(): FakeDaemon {
  const dir = mkdtempSync(join(tmpdir(), "nexusctl-"));
  let server: Server | undefined;
  const streams = new Map<ServerResponse, number>();

  const feed = () => {
    for (const [response, sent] of streams) {
      if (sent < daemon.pruned)
        response.write(
          `event: nexusd.log.gap\ndata: ${JSON.stringify({ from: sent + 1, to: daemon.pruned })}\n\n`,
        );
      for (let sequence = Math.max(sent, daemon.pruned) + 1; sequence <= daemon.log.length; sequence++) {
        const json = daemon.log[sequence - 1] ?? "";
        response.write(`id: ${sequence}\nevent: ${typeOf(json)}\ndata: ${json}\n\n`);
      }
      streams.set(response, daemon.log.length);
    }
  };

  const answer = (response: ServerResponse, status: number, body: string) => {
    response.writeHead(status, {
      "content-type": status < 400 ? "application/json" : "application/problem+json",
      "nexusd-epoch": daemon.epoch,
      "nexusd-version": "0.0.0",
    });
    response.end(body);
  };
  const problem = (response: ServerResponse, status: number, code: string, detail: string) =>
    answer(response, status, JSON.stringify({ type: "about:blank", title: code, status, detail, code }));

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://nexusd");
    daemon.requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (daemon.override?.(request, response)) return;
    const after = Number(request.headers["last-event-id"] ?? url.searchParams.get("after") ?? 0);
    const latest = daemon.log.length;
    switch (`${request.method} ${url.pathname}`) {
      case "GET /v1/status":
        return answer(response, 200, JSON.stringify(statusOf(daemon)));
      case "GET /v1/jobs":
        return answer(response, 200, JSON.stringify({ jobs: statusOf(daemon).jobs }));
      case "GET /v1/events": {
        if (after > latest) return problem(response, 409, "cursor_ahead", "The log is shorter.");
        const limit = Number(url.searchParams.get("limit") ?? 100);
        const first = Math.max(after, daemon.pruned);
        const events = daemon.log.slice(first, first + limit);
        const gap = after < daemon.pruned ? { from: after + 1, to: daemon.pruned } : null;
        const next = first + events.length;
        const head = JSON.stringify({ epoch: daemon.epoch, next, oldest: daemon.pruned + 1, latest, gap });
        return answer(response, 200, `{"events":[${events.join(",")}],${head.slice(1)}`);
      }
      case "GET /v1/events/stream":
        if (after > latest) return problem(response, 409, "cursor_ahead", "The log is shorter.");
        response.writeHead(200, { "content-type": "text/event-stream", "nexusd-epoch": daemon.epoch });
        response.write(": hello\n\n");
        streams.set(response, after);
        response.on("close", () => streams.delete(response));
        return feed();
    }
    return problem(response, 404, "not_found", `There is no ${url.pathname}.`);
  };

  const daemon: FakeDaemon = {
    dir,
    socket: join(dir, "agent.sock"),
    epoch: "epoch-a",
    log: [],
    pruned: 0,
    requests: [],
    override: undefined,
    append(type, data, more = {}) {
      const sequence = String(this.log.length + 1);
      const event = { specversion: "1.0", id: `id-${sequence}`, source: "/test", type: `nexusd.${type}` };
      this.appendRaw(JSON.stringify({ ...event, time: "2026-01-02T03:04:05.678Z", ...more, sequence, data }));
    },
    appendRaw(json) {
      this.log.push(json);
      feed();
    },
    start: () =>
      new Promise((resolve) => {
        server = createServer(handle);
        server.listen(daemon.socket, resolve);
      }),
    stop: () =>
      new Promise((resolve) => {
        streams.clear();
        if (!server) return resolve();
        server.close(() => resolve());
        server.closeAllConnections();
        server = undefined;
      }),
    async remove() {
      await this.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return daemon;
}

const typeOf = (json: string) => /"type":"([^"]+)"/.exec(json)?.[1] ?? "";

const statusOf = (daemon: FakeDaemon) => ({
  version: "0.0.0",
  pid: process.pid,
  startedAt: "2026-01-02T03:04:05.678Z",
  epoch: daemon.epoch,
  log: { oldest: daemon.pruned + 1, latest: daemon.log.length },
  store: { state: "ok", lastError: null },
  services: {
    messaging: { state: "ok", lastSuccessAt: new Date().toISOString(), lastError: null },
    nex: {
      state: "down",
      lastSuccessAt: null,
      lastError: {
        code: "nex_unauthorized",
        message: "the key \u001b[31mis wrong",
        at: new Date().toISOString(),
      },
    },
    nexus: { state: "disabled", lastSuccessAt: null, lastError: null },
  },
  jobs: [
    {
      name: "messaging-poll",
      kind: "paced",
      description: "polls",
      service: "messaging",
      state: "ok",
      schedule: null,
      intervalMs: 1000,
      running: true,
      lastRunAt: new Date().toISOString(),
      lastSuccessAt: new Date().toISOString(),
      nextRunAt: null,
      lastError: null,
      failures: 0,
      runs: 12,
    },
  ],
});
