// A stalled reader of the log: a pipe, a socket as a container or the journal has it, and a terminal.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { ask, install, until } from "../support/daemon.ts";

const source = (path: string) => JSON.stringify(new URL(`../../src/${path}.ts`, import.meta.url));

/** Logs 4,000 lines of a kilobyte on request, reports on stdout how that went, and logs one more line each time. */
const PROGRAM = `
  import { fstatSync } from "node:fs";
  import { createLog } from ${source("daemon/log")};
  import { fdDestination } from ${source("daemon/log-destination")};
  import { createRedactor } from ${source("core/redaction")};
  const { dev, ino } = fstatSync(2);
  const env = process.env.AS_JOURNAL ? { JOURNAL_STREAM: dev + ":" + ino } : {};
  const destination = fdDestination(2);
  const log = await createLog({ level: "info", format: "auto", env, redactor: createRedactor(), destination });
  process.stdin.once("data", () => {
    for (let i = 0; i < 4000; i++) log.info({ i, padding: "x".repeat(1000) }, "line");
    console.log(JSON.stringify({ dropped: destination.dropped() }));
    process.stdin.on("data", () => log.info("one more"));
  });
  console.log("ready");
`;

const run = (stderr: "pipe" | number, env: Record<string, string> = {}) =>
  spawn(process.execPath, ["--input-type=module", "-e", PROGRAM], {
    stdio: ["pipe", "pipe", stderr],
    env: { ...process.env, ...env },
  });

/** A pipe whose reading end is open, but not read yet. */
function pipe(): { write: number; reader: () => Readable } {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-log-"));
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  // Opened for both, so opening it does not block.
  const read = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return { write, reader: () => new Socket({ fd: read, readable: true, writable: false }) };
}

test.each(["socket", "journal", "pipe"])(
  "a stalled reader blocks nothing, and is told afterwards how much it missed: %s",
  async (kind) => {
    const fifo = kind === "pipe" ? pipe() : undefined;
    const child: ChildProcess = run(fifo?.write ?? "pipe", kind === "journal" ? { AS_JOURNAL: "1" } : {});
    if (fifo) closeSync(fifo.write);
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    await until(() => said.includes("ready"), "the start of the program");
    child.stdin?.write("go");
    const result = JSON.parse(await until(() => /^\{.*\}$/m.exec(said)?.[0], "the end of the lines"));
    // If it waited a second for each line, this would not be here yet.
    expect(result.dropped).toBeGreaterThan(1000);

    let log = "";
    const reader = fifo ? fifo.reader() : child.stderr;
    reader?.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
    await until(() => log.includes("log lines were dropped"), "the report of what was dropped");
    child.stdin?.write("again");
    await until(() => log.includes("one more"), "the next line");
    const lines = log.trimEnd().split("\n");
    const report = lines.findIndex((line) => line.includes("log lines were dropped"));
    // The kept lines are complete and in order; then comes the report.
    expect(lines.slice(0, report).map((line) => Number(/"i":(\d+)/.exec(line)?.[1]))).toEqual(
      Array.from({ length: 4000 - result.dropped }, (_, i) => i),
    );
    expect(lines[report]).toContain(`"dropped":${result.dropped}`);
    expect(lines.slice(report + 1).every((line) => line.includes("one more"))).toBe(true);
    reader?.destroy();
  },
);

const hasScript = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!hasScript)("a terminal that stopped scrolling blocks nothing (needs script)", async () => {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const result = join(directory, "result");
  // script passes on what the terminal shows, and stops if its output is not read.
  const command = `"$NODE" --input-type=module -e "$PROGRAM" >"$RESULT"`;
  const child = spawn("script", ["-qfc", command, "/dev/null"], {
    env: { ...process.env, NODE: process.execPath, PROGRAM, RESULT: result },
    stdio: ["pipe", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = () => (existsSync(result) ? readFileSync(result, "utf8") : "");
  await until(() => said().includes("ready"), "the start of the program");
  child.stdin.write("go\n");
  const { dropped } = JSON.parse(await until(() => /^\{.*\}$/m.exec(said())?.[0], "the end of the lines"));
  expect(dropped).toBeGreaterThan(1000);
});

test("the daemon answers while its log is not read, and counts what it dropped", async () => {
  const installation = install(
    "[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n",
  );
  onTestFinished(() => installation.remove());
  const main = new URL("../../src/daemon/main.ts", import.meta.url).pathname;
  const { write, reader } = pipe();
  const child = spawn(process.execPath, [main, "--config", installation.configPath], {
    env: { ...process.env, ...SANDBOX_ENV },
    stdio: ["ignore", "ignore", write],
  });
  closeSync(write);
  onTestFinished(() => void child.kill("SIGKILL"));
  const { operatorSocket } = installation;
  const dropped = async () => {
    const { text } = await ask(operatorSocket, "/metrics");
    return Number(/^nexusd_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
  };
  await until(() => ask(operatorSocket, "/v1/health").catch(() => undefined), "the daemon");
  // Each request is a line at the level "trace", and a refused one is a long line.
  const many = async () => {
    await Promise.all(Array.from({ length: 200 }, () => ask(operatorSocket, "/v1/health")));
    return (await dropped()) > 0;
  };
  await until(many, "the first line that is dropped");

  const log = reader();
  let text = "";
  log.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await until(() => text.includes("log lines were dropped"), "the report of what was dropped");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
  await until(() => text.includes('"msg":"stopped"'), "the last line");
  log.destroy();
});
