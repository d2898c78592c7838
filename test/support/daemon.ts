// The real daemon as its own process, on a configuration made for the test.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { storeTable } from "./open-store.ts";

const MAIN = new URL("../../src/daemon/main.ts", import.meta.url).pathname;

export interface Installation {
  directory: string;
  dataDir: string;
  configPath: string;
  agentSocket: string;
  operatorSocket: string;
  /** Another `toml`, for the next start or reload. */
  configure(toml: string): void;
  remove(): void;
}

/** Its own directory with the configuration; `toml` comes after `[daemon]`, which names the data directory. */
export function install(toml: string, elsewhere?: string): Installation {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-"));
  const dataDir = elsewhere ?? join(directory, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  const configPath = join(directory, "nexusd.toml");
  const configure = (text: string) =>
    writeFileSync(
      configPath,
      `[daemon]\ndata_dir = "${dataDir}"\nlog_level = "trace"\nlog_format = "json"\n${storeTable(dataDir).toml}${text}`,
    );
  configure(toml);
  return {
    directory,
    dataDir,
    configPath,
    agentSocket: join(dataDir, "agent.sock"),
    operatorSocket: join(dataDir, "operator.sock"),
    configure,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export interface RunningDaemon {
  process: ChildProcess;
  /** Everything it has logged so far. */
  log(): string;
  /** Resolves when its control socket answers; rejects if it ends first. */
  ready: Promise<void>;
  /** Resolves at its end, with the exit code or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
  /** Sends the signal and resolves with the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export function startDaemon(
  installation: Installation,
  env: Record<string, string> = SANDBOX_ENV,
): RunningDaemon {
  const child = spawn(process.execPath, [MAIN, "--config", installation.configPath], {
    env: { ...process.env, ...storeTable(installation.dataDir).env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const ended = once(child, "exit").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null,
  );
  const ready = (async () => {
    let isOver = false;
    ended.then(() => {
      isOver = true;
    });
    while (!text.includes('"msg":"nexusd is ready"')) {
      if (isOver) throw new Error(`the daemon ended before it was ready:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  ready.catch(() => {}); // a test that kills it does not wait for this
  return {
    process: child,
    log: () => text,
    ready,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** One request over a Unix socket. */
export function ask(
  socketPath: string,
  path: string,
  options: { method?: string; body?: unknown } = {},
): Promise<Answer> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method: options.method ?? "GET",
        headers: { host: "localhost", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
        response.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

// The part of an event that tests read; the daemon promises no more of `data` than its type says.
export interface SeenEvent {
  id: string;
  sequence: string;
  source: string;
  type: string;
  subject?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into the data of every type
  data: any;
}

/** The whole log, in pages. */
export async function readLog(socketPath: string): Promise<SeenEvent[]> {
  const events: SeenEvent[] = [];
  for (let after = 0; ; ) {
    const { status, text } = await ask(socketPath, `/v1/events?after=${after}&limit=1000`);
    if (status !== 200) throw new Error(text);
    const page = JSON.parse(text);
    events.push(...page.events);
    if (page.next === after || page.events.length === 0) return events;
    after = page.next;
  }
}

/** Polls a condition for at most `timeoutMs`. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  what: string | (() => string),
  timeoutMs = 40_000,
): Promise<T> {
  for (const end = performance.now() + timeoutMs; ; ) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end)
      throw new Error(`waited ${timeoutMs} ms in vain for: ${typeof what === "string" ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
