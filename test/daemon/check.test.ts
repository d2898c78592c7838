import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCheck } from "../../src/daemon/check.ts";
import { ENV, REFERENCES } from "../config/toml-file.ts";

async function run(path: string, env: Record<string, string>) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCheck(path, { env, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join(""), err: err.join("") };
}

async function check(toml: string, env: Record<string, string> = ENV) {
  const path = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "nexusd.toml");
  writeFileSync(path, toml);
  const { code, out, err } = await run(path, env);
  return { code, stdout: out.replaceAll(path, "FILE"), stderr: err.replaceAll(path, "FILE") };
}

test("a configuration that is right is one line and exit code 0", async () => {
  expect(await check(REFERENCES)).toEqual({ code: 0, stdout: "FILE: ok\n", stderr: "" });
});

test("each problem is one line with its place, its value and what would be right; then their number; exit code 1", async () => {
  const toml = `${REFERENCES}[messaging]\nrequests_per_minute = -1\nagent_id = "\\u001b[31m two words"\n`;
  const { NEX_API_KEY: _, ...env } = ENV;
  expect(await check(toml, env)).toEqual({
    code: 1,
    stdout: `FILE: messaging.agent_id = "\\u001b[31m two words": must be 1 to 128 letters, digits, "-" or "_"
FILE: messaging.requests_per_minute = -1: must be more than 0
FILE: nex.api_key: the environment variable NEX_API_KEY is not set
3 problems
`,
    stderr: "",
  });
});

test("a syntax error is one problem with its line", async () => {
  const { code, stdout } = await check("[daemon]\ndata_dir = data\n");
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^FILE:2: is not TOML: invalid value \(text must be in quotes\), column \d+\n1 problem\n$/,
  );
});

test("a configuration that is not there is a problem", async () => {
  expect(await run("/nowhere/nexusd.toml", {})).toEqual({
    code: 1,
    out: "/nowhere/nexusd.toml: does not exist\n1 problem\n",
    err: "",
  });
});

test("what works but should not stay so is said on stderr, and changes no exit code", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "key");
  writeFileSync(file, "value", { mode: 0o644 });
  const toml = REFERENCES.replace('"env", id = "NEX_API_KEY"', `"file", id = "${file}"`);
  expect(await check(toml)).toEqual({
    code: 0,
    stdout: "FILE: ok\n",
    stderr: `FILE: nex.api_key: warning: the file ${file} can be read by others (mode 0644): chmod 600\n`,
  });
});

test("job files are checked too, also beside other problems", async () => {
  const jobs = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "jobs");
  mkdirSync(jobs);
  writeFileSync(join(jobs, "broken.mjs"), "export default 5;\n");
  const { code, stdout } = await check(`surprise = 1\n${REFERENCES}[jobs]\ndirectory = "${jobs}"\n`);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FILE: surprise: /m);
  expect(stdout).toMatch(/^.*broken\.mjs: \S/m);
  expect(stdout).toMatch(/\n2 problems\n$/);
});
