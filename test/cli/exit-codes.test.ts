// The promise of every command to scripts: its exit code says how it failed, and in a pipe so does JSON on stdout.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandNode, treeOf } from "../../src/cli/command-tree.ts";
import { wholeProgram } from "../../src/cli/commands.ts";
import { createFakeDaemon, type FakeDaemon, runHere } from "../support/cli.ts";

/** A value that each argument accepts. */
const ARGUMENTS: Record<string, string> = {
  ...{ sequence: "7", session: "workshop", alias: "ops", operation: "nexus.orders.list", kind: "jobs" },
  ...{ id: "01K00000000000000000000001", code: "ABCD-EFGH", server: "http://127.0.0.1:1", name: "some-name" },
};
/** What a command needs beside its arguments to reach the daemon. */
const MORE: Record<string, string[]> = {
  "writes approve": ["--yes", "--digest", "0".repeat(64)],
  "writes reject": ["01K00000000000000000000001", "--reason", "no"],
  "writes sign": ["--key", "none", "--yes", "--digest", "0".repeat(64)],
  "writes decide": ["--signature", "package.json", "--signer", "alice"],
  "writes resolve": ["--outcome", "failed", "--note", "seen"],
  "audit checkpoint": ["--yes", "--row", "1", "--hash", "0".repeat(64)],
  "messaging send": ["hello"],
};
/**
 * They send the daemon no request: they read files, report on the machine, print a script, or keep serving without one
 * (mcp).
 */
const WITHOUT_DAEMON = [
  ...["mcp", "skill install"],
  ...["restore", "db check", "db export", "db move", "statement check"],
  ...["doctor", "service install", "service uninstall", "import nexus-sh"],
  ...["completion bash", "completion zsh", "completion fish"],
];
/** A screen for a person: it is wrong usage in a pipe. */
const AT_TERMINAL_ONLY = ["writes watch"];

const leaves = (node: CommandNode): CommandNode[] =>
  node.commands.length === 0 ? [node] : node.commands.flatMap(leaves);
// `help` is commander's own.
const COMMANDS = leaves(treeOf(await wholeProgram())).filter(({ path }) => path[0] !== "help");
const nameOf = ({ path }: CommandNode) => path.join(" ");
const ASKING = COMMANDS.filter(
  (command) => ![...WITHOUT_DAEMON, ...AT_TERMINAL_ONLY].includes(nameOf(command)),
);

let daemon: FakeDaemon;
beforeAll(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
  mkdirSync(join(daemon.dir, "empty"));
});
afterAll(() => daemon.remove());

/** As a person would type it, with everything that it needs. */
function words(command: CommandNode): string[] {
  const given = command.arguments
    .filter(({ isRequired }) => isRequired)
    .map(({ name }) => (name === "file" ? join(daemon.dir, "some.db") : (ARGUMENTS[name] ?? name)));
  const operation = ["read", "write"].includes(nameOf(command)) ? ["nexus.orders.list"] : [];
  return [...command.path, ...operation, ...given, ...(MORE[nameOf(command)] ?? [])];
}

const run = (command: CommandNode, socket: string, ...more: string[]) =>
  runHere(["--socket", socket, ...words(command), ...more], undefined, { HOME: daemon.dir });

it("every exception names an existing command", () => {
  const names = COMMANDS.map(nameOf);
  for (const name of [...WITHOUT_DAEMON, ...AT_TERMINAL_ONLY, ...Object.keys(MORE)])
    expect(names).toContain(name);
});

describe.each(ASKING.map((command) => [nameOf(command), command] as const))("%s", (_name, command) => {
  it("ends with 69 without a daemon, with JSON on stdout and how to start one on stderr", async () => {
    const socket = join(daemon.dir, "none.sock");
    const { code, stdout, stderr } = await run(command, socket);
    expect({ code, stderr }).toStrictEqual({
      code: 69,
      stderr: expect.stringMatching(/No daemon at .*none\.sock\. Start it with: /),
    });
    expect(JSON.parse(stdout)).toMatchObject({ code: "no_daemon", detail: expect.stringContaining(socket) });
  });

  it("ends with 1 if the daemon refuses, with only its problem as JSON on stdout", async () => {
    const problem = { type: "about:blank", title: "No", status: 403, detail: "Not today.", code: "no_luck" };
    daemon.override = (request, response) => {
      request.resume();
      response.writeHead(403, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
      return true;
    };
    const { code, stdout, stderr } = await run(command, daemon.socket);
    daemon.override = undefined;
    expect({ code, stderr }).toStrictEqual({
      code: 1,
      stderr: expect.stringContaining("nexusctl: Not today. (no_luck)"),
    });
    expect(JSON.parse(stdout)).toStrictEqual(problem);
  });
});

it.each(COMMANDS.map((command) => [nameOf(command), command] as const))(
  "%s ends with 2 on wrong usage, and sends no request",
  async (_name, command) => {
    daemon.requests = [];
    const wrong = [
      await run(command, daemon.socket, "--no-such-option"),
      ...(command.arguments.some(({ isVariadic }) => isVariadic)
        ? []
        : [await run(command, daemon.socket, "too", "many", "words")]),
      ...(command.arguments.some(({ isRequired }) => isRequired)
        ? [await runHere(["--socket", daemon.socket, ...command.path])]
        : []),
    ];
    for (const { code, stdout, stderr } of wrong)
      expect({ code, stdout, stderr }).toStrictEqual({
        ...{ code: 2, stdout: "" },
        stderr: expect.stringMatching(/^(error|nexusctl): \S/),
      });
    expect(daemon.requests).toStrictEqual([]);
  },
);

it.each(AT_TERMINAL_ONLY)("%s ends with 2 in a pipe, and says that it needs a terminal", async (name) => {
  const { code, stdout, stderr } = await runHere(["--socket", daemon.socket, ...name.split(" ")]);
  expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/terminal/);
});

it.each([
  ["restore", "/nonexistent/backup.db"],
  ["db check"],
  ["db export"],
  ["import nexus-sh", "--dir", "/nonexistent"],
])("%s ends with 1 and the problem as JSON if its files do not exist", async (name, ...more) => {
  const place = name.startsWith("db") ? ["--data-dir", "/nonexistent"] : [];
  const { code, stdout, stderr } = await runHere(
    ["--socket", daemon.socket, ...name.split(" "), ...more, ...place],
    undefined,
    { HOME: daemon.dir },
  );
  expect({ code, stderr }).toStrictEqual({ code: 1, stderr: expect.stringContaining("/nonexistent") });
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ title: expect.any(String), detail: expect.stringContaining("/nonexistent") },
    code: expect.stringMatching(/^[a-z_]+$/),
  });
});
