import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const MAIN = resolve("src/daemon/main.ts");

const run = (args: string[]) =>
  new Promise<{ code: unknown; said: string | undefined; stderr: string }>((done) =>
    execFile(process.execPath, [MAIN, ...args], (error, _stdout, stderr) =>
      done({ code: error?.code ?? 0, said: stderr.split("\n", 1)[0], stderr }),
    ),
  );

test.concurrent.each([
  [["--foo"], "nexusd: there is no option --foo"],
  [["-x"], "nexusd: there is no option -x"],
  [["--config"], "nexusd: --config needs the name of a file"],
  [["--config", "--help"], "nexusd: --config needs the name of a file"],
  [["--version=1"], "nexusd: --version takes no value"],
  [["start"], 'nexusd: there is no command "start"'],
  [["check", "my.toml"], "nexusd: a configuration is named by an option: --config my.toml"],
  [["my.toml"], "nexusd: a configuration is named by an option: --config my.toml"],
])("%j is refused in one plain line before the usage", async (args, expected) => {
  const { code, said, stderr } = await run(args);
  expect({ code, said }).toEqual({ code: 2, said: expected });
  expect(stderr).toMatch(/\nUsage: nexusd /);
});
