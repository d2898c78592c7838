// How long an insight takes: from the server's write of the event, through the durable log of a real daemon, to the
// socket of the agent; compared with a relay that only pipes the bytes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { print } from "./figure.ts";
import { startDaemon } from "./process.ts";

const PER_SECOND = 200;
const ROUNDS = 3;
const WARM_UP = 400;
const COUNT = 2000;
const ROOT = join(import.meta.dirname, "..");

const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
const children: ChildProcess[] = [];

function start(script: string, args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

const firstLine = async (stream: Readable): Promise<string> => {
  const [chunk] = await once(stream, "data");
  return String(chunk).trim();
};

async function startNexusd(nexUrl: string): Promise<string> {
  const config = join(directory, "nexusd.toml");
  mkdirSync(join(directory, "data"), { mode: 0o700 });
  writeFileSync(
    config,
    `[daemon]\ndata_dir = "${directory}/data"\nlog_format = "json"\nlog_level = "warn"\n` +
      `[nex]\nbase_url = "${nexUrl}"\napi_key = { source = "env", id = "BENCH_KEY" }\n` +
      "[messaging]\nenabled = false\n[nexus]\nenabled = false\n",
  );
  children.push(startDaemon(config, { stdio: ["pipe", "pipe", "inherit"], env: { BENCH_KEY: "sk-bench" } }));
  const socketPath = join(directory, "data", "agent.sock");
  for (let tries = 0; ; tries++) {
    const status = await read(socketPath, "/v1/status").catch(() => undefined);
    if (status?.services.nex.stream.state === "live") return socketPath;
    if (tries > 200) throw new Error("the daemon does not come up");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const open = (socketPath: string, path: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get({ socketPath, path, headers: { host: "localhost" } }, resolve).on("error", reject);
  });

// biome-ignore lint/suspicious/noExplicitAny: the status of the daemon, of which one field is looked at
async function read(socketPath: string, path: string): Promise<any> {
  const response = await open(socketPath, path);
  return JSON.parse((await response.setEncoding("utf8").toArray()).join(""));
}

/** The delays, in ms, of `count` insights that the server is told to emit. */
async function measure(
  server: ChildProcess,
  socketPath: string,
  path: string,
  count: number,
): Promise<number[]> {
  const stream = await open(socketPath, path);
  const delays: number[] = [];
  const done = Promise.withResolvers<void>();
  let rest = "";
  let firstAt = 0n;
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const now = process.hrtime.bigint();
    const text = rest + chunk;
    let end = 0;
    for (const match of text.matchAll(/"created_by":"at (\d+)"/g)) {
      end = match.index + match[0].length;
      const writtenAt = BigInt(match[1] ?? "");
      // Skips the replay of an earlier round.
      if (writtenAt >= firstAt) delays.push(Number(now - writtenAt) / 1e6);
    }
    rest = text.slice(end).slice(-100);
    if (delays.length >= count) done.resolve();
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  firstAt = process.hrtime.bigint();
  server.stdin?.write(`${JSON.stringify({ count, everyMs: 1000 / PER_SECOND })}\n`);
  await done.promise;
  stream.destroy();
  return delays;
}

const quantile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;

try {
  const server = start("bench/delivery/server.ts", []);
  const url = await firstLine(server.stdout ?? process.stdin);
  const relaySocket = join(directory, "relay.sock");
  await firstLine(start("bench/delivery/relay.ts", [url, relaySocket]).stdout ?? process.stdin);
  const agentSocket = await startNexusd(url);

  const ours: number[] = [];
  const theirs: number[] = [];
  const follow = async () => {
    const { log } = await read(agentSocket, "/v1/status");
    return `/v1/events/stream?type=nex.insight.received&after=${log.latest}`;
  };
  await measure(server, relaySocket, "/", WARM_UP);
  await measure(server, agentSocket, await follow(), WARM_UP);
  for (let round = 0; round < ROUNDS; round++) {
    theirs.push(...(await measure(server, relaySocket, "/", COUNT)));
    ours.push(...(await measure(server, agentSocket, await follow(), COUNT)));
  }
  for (const [figure, share] of [
    ["median", 0.5],
    ["p95", 0.95],
    ["p99", 0.99],
  ] as const)
    print({
      bench: "delivery",
      case: `${PER_SECOND} insights a second`,
      figure: `${figure} delay`,
      value: quantile(ours, share),
      unit: "ms",
      baseline: quantile(theirs, share),
    });
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
}
