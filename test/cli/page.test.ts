// nexusctl page as a process: its output, its end, and what --open lets others see.

import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { runCli, spawnCli } from "../support/cli.ts";
import { startTestControl, temporaryDirectory } from "../support/control.ts";

const start = (socket: string, args: string[] = [], env: Record<string, string> = {}) => {
  const page = spawnCli(["--socket", socket, "page", ...args], env);
  onTestFinished(() => void page.child.kill("SIGKILL"));
  return page;
};
const LINK = /^http:\/\/127\.0\.0\.1:(\d+)\/open#[\w-]{43}$/;

it("prints its link as JSON if no person reads it, and ends with Ctrl-C", async () => {
  const control = await startTestControl();
  const page = start(control.sockets.operator, ["--idle", "5m"]);
  await page.until(({ lines }) => lines().length > 0);
  const { link, port, idleMs } = JSON.parse(page.lines()[0] ?? "");
  expect(LINK.exec(link)?.[1]).toBe(String(port));
  expect(idleMs).toBe(300_000);
  page.child.kill("SIGINT");
  expect(await page.ended).toMatchObject({ code: 0, stderr: "" });
});

it("gives the browser a file that only this user can read, and never puts the link in a process argument", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const seen = join(directory, "arguments");
  for (const name of ["xdg-open", "open"]) {
    writeFileSync(
      join(directory, name),
      `#!/bin/sh\nprintf '%s' "$*" > "${seen}.part" && mv "${seen}.part" "${seen}"\n`,
    );
    chmodSync(join(directory, name), 0o755);
  }
  const page = start(control.sockets.operator, ["--open"], {
    ...{ PATH: `${directory}:${process.env.PATH}`, XDG_RUNTIME_DIR: directory },
  });
  await page.until(({ lines }) => lines().length > 0);
  const { link } = JSON.parse(page.lines()[0] ?? "");
  await expect.poll(() => existsSync(seen)).toBe(true);
  const argument = readFileSync(seen, "utf8");
  expect(argument).not.toContain(link.split("#")[1]);
  const file = fileURLToPath(argument);
  expect(readFileSync(file, "utf8")).toContain(link);
  expect([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777]).toEqual([0o600, 0o700]);
  page.child.kill("SIGTERM");
  await page.ended;
  expect(existsSync(file)).toBe(false);
});

it("reports a missing daemon, and that agent.sock is not enough", async () => {
  const control = await startTestControl();
  const [none, agents] = await Promise.all([
    runCli(["--socket", join(control.directory, "none.sock"), "page"]),
    runCli(["--socket", control.sockets.agent, "page"]),
  ]);
  expect([none.code, JSON.parse(none.stdout).code]).toEqual([69, "no_daemon"]);
  expect([agents.code, JSON.parse(agents.stdout).code]).toEqual([1, "operator_only"]);
});

it("says why it cannot listen", async () => {
  const control = await startTestControl();
  const first = start(control.sockets.operator);
  await first.until(({ lines }) => lines().length > 0);
  const { port } = JSON.parse(first.lines()[0] ?? "");
  const second = await runCli(["--socket", control.sockets.operator, "page", "--port", String(port)]);
  expect([second.code, JSON.parse(second.stdout)]).toEqual([
    ...[1, expect.objectContaining({ code: "cannot_listen", detail: expect.stringContaining("--port") })],
  ]);
});
