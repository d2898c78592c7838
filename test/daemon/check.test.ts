import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { runCheck } from "../../src/daemon/check.ts";
import { ENV, REFERENCES } from "../config/toml-file.ts";
import { createSigner, signerLine, writeSigners } from "../support/signers.ts";

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

test("a valid configuration is one line and exit code 0", async () => {
  expect(await check(REFERENCES)).toEqual({ code: 0, stdout: "FILE: ok\n", stderr: "" });
});

test("each problem is one line with its place, its value and a valid one; then their number; exit code 1", async () => {
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

test("a missing credential is only a note outside systemd, and is looked up where systemd provides it", async () => {
  const toml = REFERENCES.replace('"env", id = "NEX_API_KEY"', '"credential", id = "nex-api-key"');
  expect(await check(toml)).toEqual({
    code: 0,
    stdout: "FILE: ok\n",
    stderr: "FILE: nex.api_key: note: is a credential, which only the unit is given: not looked at here\n",
  });
  const directory = mkdtempSync(join(tmpdir(), "nexusd-check-"));
  const { code, stdout } = await check(toml, { ...ENV, CREDENTIALS_DIRECTORY: directory });
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^FILE: nex\.api_key: the credential nex-api-key of LoadCredential= does not exist\n/,
  );
});

test("a syntax error is one problem with its line number", async () => {
  const { code, stdout } = await check("[daemon]\ndata_dir = data\n");
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^FILE:2: is not TOML: invalid value \(text must be in quotes\), column \d+\n1 problem\n$/,
  );
});

test("a missing configuration is a problem", async () => {
  expect(await run("/nowhere/nexusd.toml", {})).toEqual({
    code: 1,
    out: "/nowhere/nexusd.toml: does not exist\n1 problem\n",
    err: "",
  });
});

test("settings that work but should be changed are reported on stderr, and change no exit code", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "key");
  writeFileSync(file, "the-value", { mode: 0o644 });
  const toml = REFERENCES.replace('"env", id = "NEX_API_KEY"', `"file", id = "${file}"`);
  expect(await check(toml)).toEqual({
    code: 0,
    stdout: "FILE: ok\n",
    stderr: `FILE: nex.api_key: warning: the file ${file} can be read by others (mode 0644): chmod 600\n`,
  });
});

test("something in the way of nexusd's own files is a problem", async () => {
  const place = mkdtempSync(join(tmpdir(), "nexusd-check-"));
  writeFileSync(join(place, "file"), "");
  const problems = async (toml: string) => (await check(REFERENCES + toml)).stdout.replaceAll(place, "DIR");
  const inTheWay = "must be a directory, and a file is in the way\n1 problem\n";
  expect(await problems(`daemon.data_dir = "${place}/file"`)).toBe(
    `FILE: daemon.data_dir = "DIR/file": ${inTheWay}`,
  );
  expect(await problems(`daemon.data_dir = "${place}/file/a/b"`)).toBe(
    `FILE: daemon.data_dir = "DIR/file/a/b": ${inTheWay}`,
  );
  expect(await problems(`control.agent_socket = "${place}/file"`)).toBe(
    'FILE: control.agent_socket = "DIR/file": must be the path of a socket, and something else is there\n1 problem\n',
  );
  expect(await problems(`control.operator_socket = "${place}/none/operator.sock"`)).toBe(
    'FILE: control.operator_socket = "DIR/none/operator.sock": must be in a directory that exists: mkdir -p DIR/none\n1 problem\n',
  );
});

test("files that the daemon creates or left behind are not a problem", async () => {
  const place = mkdtempSync(join(tmpdir(), "nexusd-check-"));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(place, "agent.sock"), resolve));
  const toml = (data: string, agent: string) =>
    `${REFERENCES}daemon.data_dir = "${place}/${data}"\ncontrol.agent_socket = "${place}/${agent}"`;
  expect(await check(toml("new/data", "agent.sock"))).toMatchObject({ code: 0, stderr: "" });
  expect(await check(toml("new/data", "new/agent.sock"))).toMatchObject({ code: 0, stderr: "" });
  server.close();
});

test("a file of session ids that others can read is a warning, except for sessions of this machine", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "nexusd.toml");
  const session = '[[messaging.sessions]]\nid = "aaaaaaaa"\n';
  const warned = async (toml: string, mode: number) => {
    writeFileSync(path, toml);
    chmodSync(path, mode);
    const { code, err } = await run(path, ENV);
    expect(code).toBe(0);
    return err.replaceAll(path, "FILE");
  };
  expect(await warned(REFERENCES + session, 0o640)).toBe(
    "FILE: messaging.sessions: warning: contains secrets, and others can read this file (mode 0640): chmod 600\n",
  );
  expect(await warned(REFERENCES + session, 0o600)).toBe("");
  expect(await warned(REFERENCES, 0o644)).toBe("");
  expect(await warned(`${REFERENCES}${session}base_url = "http://127.0.0.1:1"\n`, 0o644)).toBe("");
});

test("job files are checked too, even beside other problems", async () => {
  const jobs = join(mkdtempSync(join(tmpdir(), "nexusd-check-")), "jobs");
  mkdirSync(jobs);
  writeFileSync(join(jobs, "broken.mjs"), "export default 5;\n");
  const { code, stdout } = await check(`surprise = 1\n${REFERENCES}[jobs]\ndirectory = "${jobs}"\n`);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FILE: surprise: /m);
  expect(stdout).toMatch(/^.*broken\.mjs:1: \S/m);
  expect(stdout).toMatch(/\n2 problems\n$/);
});

test("a policy for an unknown operation is reported, with the nearest one", async () => {
  const patterns = [
    "messaging.mesages.send",
    "messaging.message.*",
    "nexus.orders",
    "nexus.mcp.any_tool",
    "nex.*",
  ];
  const policy = patterns.map((pattern) => `"${pattern}" = "deny"\n`).join("");
  const { code, stderr } = await check(`${REFERENCES}[approvals.policy]\n${policy}`);
  expect(code).toBe(0);
  expect(
    stderr,
  ).toBe(`FILE: approvals.policy."messaging.mesages.send": warning: names no operation: did you mean "messaging.messages.send"?
FILE: approvals.policy."messaging.message.*": warning: names no operation: did you mean "messaging.messages.*"?
FILE: approvals.policy."nexus.orders": warning: names no operation: did you mean "nexus.orders.*"?
`);
});

test("a server's address is shown without possible secrets, wherever they are in it", async () => {
  const { stdout } = await check(
    `${REFERENCES}[messaging]\nservers = ["https://user:hunter2@h.example", "https://h.example?key=hunter2"]\n`,
  );
  expect(stdout).toMatch(/servers\[0\] = "https:\/\/…@h\.example": must be/);
  expect(stdout).not.toContain("hunter2");
});

describe("signers", () => {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-check-"));
  const [alice, bob] = [createSigner("alice"), createSigner("bob")];
  const signers = writeSigners(directory, [signerLine(alice), signerLine(bob)]);
  const approvals = (policy: string, file = `signers = "${signers}"`) =>
    `${REFERENCES}[approvals]\n${file}\n[approvals.policy]\n${policy}\n`;

  test.each([
    ['"nexus.*" = "signed"'],
    ['"nexus.*" = { by = "signed" }'],
    ['"nexus.*" = { by = "signed", signers = ["alice", "bob"], quorum = 2 }'],
  ])("in their file are valid: %s", async (policy) => {
    expect(await check(approvals(policy))).toEqual({ code: 0, stdout: "FILE: ok\n", stderr: "" });
  });

  test.each([
    [
      '"nexus.*" = { by = "signed", signers = ["alice", "carol"] }',
      /\.signers: names carol, not in the file of signers/,
    ],
    [
      '"nexus.*" = { by = "signed", quorum = 3 }',
      /\.quorum = 3: needs more signatures than the file of signers has names \(2\)/,
    ],
    [
      '"nexus.*" = { by = "signed", signers = ["alice"], quorum = 2 }',
      /\.quorum = 2: needs more signatures than there are signers \(1\)/,
    ],
    ['"nexus.*" = { by = "signed", signers = ["alice", "alice"] }', /\.signers = \[ … \]: names alice twice/],
    ['"nexus.*" = { by = "signed", signers = ["*"] }', /must be a name of 1 to 128 letters/],
    ['"nexus.*" = { by = "operator" }', /must be "operator", "auto", "deny", "signed", or \{ by = "signed"/],
    ['"nexus.*" = { by = "signed", who = ["alice"] }', /who/],
  ])("that are not in it are named: %s", async (policy, why) => {
    const { code, stdout } = await check(approvals(policy));
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(why) });
  });

  test("are required if a policy takes signatures", async () => {
    const { code, stdout } = await check(approvals('"nexus.*" = "signed"', ""));
    expect(code).toBe(1);
    expect(stdout).toContain("wants signatures, and approvals.signers names no file of those who may sign");
  });

  test("with a missing file, or one open to others, are a problem of the check, but do not prevent a start", async () => {
    const missing = `signers = "${directory}/none"`;
    expect((await check(approvals('"nexus.*" = "signed"', missing))).stdout).toContain(
      "approvals.signers: There is no file of signers at",
    );
    const open = join(directory, "open");
    writeFileSync(open, signerLine(alice));
    chmodSync(open, 0o666);
    const toml = approvals('"nexus.*" = "signed"', `signers = "${open}"`);
    expect((await check(toml)).stdout).toContain(
      `is not trusted: others than its owner can write to it. chmod go-w`,
    );
    const path = join(directory, "nexusd.toml");
    writeFileSync(path, toml);
    expect(loadConfig({ path, env: ENV }).config.approvals.signers).toBe(open);
  });
});
