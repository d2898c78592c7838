// The command of a sink, as real processes: its input, its end, and that nothing of it remains.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { Notice } from "../../src/contract/notice-shape.ts";
import { systemClock } from "../../src/core/clock.ts";
import { createExec } from "../../src/sinks/exec/exec.ts";
import { findProgram } from "../../src/sinks/exec/program.ts";
import { until } from "../support/daemon.ts";
import { temporaryDirectory } from "../support/store.ts";

const NOTICE: Notice = {
  ...{ consumer: "agent", sink: "agent", pending: 2, isMore: false, oldest: 4, newest: 7 },
  types: { "nexusd.messaging.message.received": 2 },
};

const DAEMON = {
  ...{ PATH: process.env.PATH, HOME: "/home/nexusd", LANG: "C.UTF-8", NEX_API_KEY: "nex-secret-value" },
  ...{ CREDENTIALS_DIRECTORY: "/run/credentials", XDG_RUNTIME_DIR: "/run/user/7", NODE_OPTIONS: "--inspect" },
};

function scene(settings: {
  command: string[];
  timeout?: number;
  directory?: string;
  env?: Record<string, string>;
  pass_env?: string[];
}) {
  const logged: Record<string, unknown>[] = [];
  const exec = createExec(
    {
      settings: { timeout: 20_000, env: {}, pass_env: [], ...settings },
      clock: systemClock,
      log: pino({ level: "trace" }, { write: (line: string) => logged.push(JSON.parse(line)) }),
      agentSocket: "/run/nexusd/agent.sock",
    },
    DAEMON,
  );
  const ending = new AbortController();
  return {
    ...{ exec, logged, ending },
    hand: (notice = NOTICE, wakeId = "01TEST") => exec.hand(notice, { signal: ending.signal, wakeId }),
  };
}

/** Its own script, which shells and kernels start like any other program. */
function script(text: string, mode = 0o755): { file: string; directory: string; path(name: string): string } {
  const directory = temporaryDirectory();
  const file = join(directory, "wake");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return { file, directory, path: (name) => join(directory, name) };
}

const sh = (body: string) => script(`#!/bin/sh\ncd "$(dirname "$0")"\n${body}\n`);

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // A zombie process has ended.
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

const pidIn = (file: string) =>
  until(() => existsSync(file) && Number(readFileSync(file, "utf8")), `a pid in ${file}`);

describe("its input", () => {
  test("is the notice as JSON on standard input, which is then closed, and as variables", async () => {
    const { file, path } = sh("cat > in; env > env");
    expect(await scene({ command: [file] }).hand()).toEqual({ kind: "heard" });
    expect(JSON.parse(readFileSync(path("in"), "utf8"))).toEqual(NOTICE);
    const env = Object.fromEntries(
      readFileSync(path("env"), "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(/=(.*)/s)),
    );
    for (const own of ["PWD", "OLDPWD", "SHLVL", "_"]) delete env[own];
    expect(env).toEqual({
      ...{ PATH: DAEMON.PATH, HOME: DAEMON.HOME, LANG: DAEMON.LANG },
      ...{ NEXUSD_SINK: "agent", NEXUSD_CONSUMER: "agent", NEXUSD_PENDING: "2", NEXUSD_IS_MORE: "" },
      ...{ NEXUSD_OLDEST: "4", NEXUSD_NEWEST: "7", NEXUSD_TEST: "", NEXUSD_WAKE: "01TEST" },
      NEXUSD_TYPES: "nexusd.messaging.message.received",
      NEXUSD_NOTICE: 'nexusd: 2 events for the consumer "agent" (4 to 7): 2 messaging.message.received',
      NEXUSD_AGENT_SOCKET: "/run/nexusd/agent.sock",
    });
  });

  test("includes the configured variables, and nothing of the daemon's own", async () => {
    const { file, path } = sh("env > env");
    const env = { AGENT_PROFILE: "night", HOME: "/srv/agent" };
    await scene({ command: [file], env, pass_env: ["XDG_RUNTIME_DIR", "NOT_THERE"] }).hand();
    const text = readFileSync(path("env"), "utf8");
    expect(text).toContain("AGENT_PROFILE=night\n");
    expect(text).toContain("HOME=/srv/agent\n");
    expect(text).toContain("XDG_RUNTIME_DIR=/run/user/7\n");
    expect(text).not.toMatch(/NEX_API_KEY|nex-secret|CREDENTIALS|NODE_OPTIONS|NOT_THERE/);
  });

  test("has the arguments unchanged: no shell reads them", async () => {
    const { file, path } = sh('printf "%s\\n" "$@" > args');
    const args = ["$(touch hacked)", "a b", "*", "; exit 3", "", "'\"\\", "ü\n"];
    expect(await scene({ command: [file, ...args] }).hand()).toEqual({ kind: "heard" });
    expect(readFileSync(path("args"), "utf8")).toBe(`${args.join("\n")}\n`);
    expect(existsSync(path("hacked"))).toBe(false);
  });

  test("includes no file that nexusd has open", async () => {
    const { file, path } = sh("ls -l /proc/$$/fd > fds");
    const held = openSync(path("database"), "w");
    await scene({ command: [file] }).hand();
    closeSync(held);
    const fds = readFileSync(path("fds"), "utf8");
    expect(fds).toContain(" 2 -> ");
    expect(fds).not.toContain(path("database"));
  });

  test("has a working directory, and a flag if it is a test", async () => {
    const { file, path } = sh('echo "$NEXUSD_TEST" > "$OUT"; pwd >> "$OUT"');
    const directory = temporaryDirectory();
    const { hand } = scene({
      command: ["/bin/sh", "-c", 'echo "$NEXUSD_TEST $PWD" > "$OUT"'],
      directory,
      env: { OUT: path("out") },
    });
    await hand({ ...NOTICE, test: true });
    expect(readFileSync(path("out"), "utf8")).toBe(`1 ${directory}\n`);
    expect(existsSync(file)).toBe(true);
  });
});

describe("its end", () => {
  test.each([
    ["a status", "exit 3", { code: "exit_status", message: expect.stringContaining("with status 3") }],
    ["a signal", "kill -USR1 $$", { code: "killed", message: "the command was ended by SIGUSR1" }],
    ["status 0 after a lot of output", "yes | head -c 20000000; exit 0", { kind: "heard" }],
  ])("%s", async (_how, body, expected) => {
    expect(await scene({ command: [sh(body).file] }).hand()).toMatchObject(expected);
  });

  test.each([
    ["is missing", () => "/nowhere/at-all", "command_missing"],
    ["is missing on the PATH", () => "no-such-program-of-nexusd", "command_missing"],
    ["has an interpreter that is missing", () => script("#!/nowhere/sh\n").file, "command_missing"],
    ["is a directory", () => temporaryDirectory(), "command_not_executable"],
    ["may not be executed", () => script("#!/bin/sh\n", 0o644).file, "command_not_executable"],
    // The system lets a shell try it.
    ["is no program", () => script("\u0000\u0001").file, "exit_status"],
  ])("a command that %s is a refusal in our own words", async (_what, make, code) => {
    const program = make();
    const outcome = await scene({ command: [program] }).hand();
    expect(outcome).toMatchObject({ kind: "refused", code });
    expect(JSON.stringify(outcome)).not.toContain(program);
  });

  test("a command too long for the system is a refusal, and nothing worse", async () => {
    expect(await scene({ command: ["/bin/true", "x".repeat(200_000)] }).hand()).toMatchObject({
      code: "command_not_started",
    });
  });

  test("a command that does not read its input, or closes it at once, is not a failure", async () => {
    const many = {
      ...NOTICE,
      types: Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`own.type_${n}`, 1])),
    };
    expect(await scene({ command: ["/bin/sh", "-c", "exec 0<&-; exit 0"] }).hand()).toEqual({
      kind: "heard",
    });
    // More than a pipe holds.
    expect(JSON.stringify(many).length).toBeGreaterThan(131_072);
    const { exec } = scene({ command: ["/bin/true"] });
    const outcome = await exec.hand({ ...many }, { signal: new AbortController().signal, wakeId: "w" });
    expect(["heard", "refused"]).toContain(outcome.kind);
  });

  test("its output is escaped and logged at debug, only its end, and appears nowhere else", async () => {
    const { hand, logged } = scene({
      command: [
        "/bin/sh",
        "-c",
        `head -c 100000 /dev/zero | tr '\\0' x >&2; printf '\\033[2Jignore all\\n' >&2; exit 1`,
      ],
    });
    expect(JSON.stringify(await hand())).not.toContain("ignore");
    const [line] = logged.filter(({ msg }) => msg === "the command has ended");
    expect(line).toMatchObject({ level: 20, stderr: expect.stringMatching(/^x+\\x1b\[2Jignore all\\n$/) });
    expect(String(line?.stderr).length).toBeLessThan(5000);
  });
});

describe("nothing of it remains", () => {
  test("after its time limit, whatever it does on SIGTERM, including its children", async () => {
    const { file, path } = sh(
      "trap '' TERM\n(trap '' TERM; while :; do sleep 1; done) &\necho $! > child; echo $$ > leader\nwhile :; do sleep 1; done",
    );
    const started = performance.now();
    const handed = scene({ command: [file], timeout: 300 }).hand();
    const [child, leader] = [await pidIn(path("child")), await pidIn(path("leader"))];
    expect(await handed).toMatchObject({ kind: "refused", code: "timeout" });
    expect(performance.now() - started).toBeLessThan(15_000);
    await until(() => !isAlive(child) && !isAlive(leader), "both processes to be gone");
  }, 30_000);

  test("if it handles SIGTERM, it ends then, and not only after the grace period", async () => {
    const started = performance.now();
    expect(await scene({ command: ["/bin/sleep", "60"], timeout: 200 }).hand()).toMatchObject({
      code: "timeout",
    });
    expect(performance.now() - started).toBeLessThan(4000);
  });

  test("in its process group after it ended, even if a child holds the pipes", async () => {
    const { file, path } = sh("sleep 300 & echo $! > child; exit 0");
    expect(await scene({ command: [file] }).hand()).toEqual({ kind: "heard" });
    const child = await pidIn(path("child"));
    await until(() => !isAlive(child), "the child to be gone");
  });

  test("when its sink ends, within the time of a stop of nexusd", async () => {
    const { file, path } = sh("trap '' TERM\necho $$ > leader\nwhile :; do sleep 1; done");
    const { hand, ending } = scene({ command: [file] });
    const handed = hand();
    const leader = await pidIn(path("leader"));
    const started = performance.now();
    ending.abort();
    await handed;
    expect(performance.now() - started).toBeLessThan(2500);
    await until(() => !isAlive(leader), "the command to be gone");
  });

  test("after its sink has ended, which starts nothing more", async () => {
    const { file, path } = sh("touch started");
    const { hand, ending } = scene({ command: [file] });
    ending.abort();
    await hand();
    expect(existsSync(path("started"))).toBe(false);
  });

  test("a command started by a killed nexusd is found by its wake, and ended with its children", async () => {
    const { file, path } = sh("sleep 300 & echo $! > child\necho $$ > leader\nwait");
    const abandoned = spawn(file, {
      detached: true,
      stdio: "ignore",
      env: { PATH: process.env.PATH, NEXUSD_WAKE: "01LOST" },
    });
    const bystander = spawn("/bin/sleep", ["300"], { stdio: "ignore", env: { NEXUSD_WAKE: "01LOST2" } });
    const [child, leader] = [await pidIn(path("child")), await pidIn(path("leader"))];
    expect(leader).toBe(abandoned.pid);
    const { exec } = scene({ command: [file] });
    await exec.endAbandoned?.("01LOST");
    await until(() => !isAlive(child) && !isAlive(leader), "both to be gone");
    expect(bystander.exitCode).toBeNull();
    expect(isAlive(bystander.pid ?? 0)).toBe(true);
    bystander.kill("SIGKILL");
  });
});

test("doctor looks up a program as the sink will", async () => {
  const { file, directory } = script("#!/bin/sh\n");
  expect(await findProgram(file, {})).toBe(file);
  expect(await findProgram("wake", { path: `/nowhere:${directory}` })).toBe(file);
  expect(await findProgram("./wake", { directory })).toBe(file);
  expect(await findProgram("wake", { path: "/nowhere" })).toBeUndefined();
  expect(await findProgram(directory, {})).toBeUndefined();
  expect(await findProgram("sh", { path: process.env.PATH })).toBe(
    execFileSync("/bin/sh", ["-c", "command -v sh"]).toString().trim(),
  );
});
