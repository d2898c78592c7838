// nexusctl with the system's ssh-keygen and a real daemon behind it: signing, submitting, checking afterwards.

import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprintOf } from "../../src/core/fingerprint.ts";
import { type CliResult, runHere } from "../support/cli.ts";
import { startTestControl, type TestControl, temporaryDirectory } from "../support/control.ts";
import { createFakeTty, runAtTty } from "../support/tty.ts";
import { realWritePath } from "../support/write-path.ts";

let control: TestControl;
let directory: string;
const cleanups: (() => Promise<void>)[] = [];
const keygen = (args: string[], input = "") =>
  execFileSync("ssh-keygen", args, { input, stdio: ["pipe", "pipe", "pipe"] }).toString();
const at = (name: string) => join(directory, name);
const publicKey = (name: string) =>
  readFileSync(at(`${name}.pub`), "utf8")
    .split(" ")
    .slice(0, 2)
    .join(" ");

beforeAll(async () => {
  const cleanup = (work: () => Promise<void>) => cleanups.unshift(work);
  directory = await temporaryDirectory(cleanup);
  keygen(["-q", "-t", "ed25519", "-N", "", "-f", at("alice")]);
  keygen(["-q", "-t", "ecdsa", "-N", "", "-f", at("bob")]);
  keygen(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", at("carol")]);
  keygen(["-q", "-t", "ed25519", "-N", "", "-f", at("ca")]);
  keygen(["-q", "-t", "ed25519", "-N", "", "-f", at("dave")]);
  keygen(["-q", "-s", at("ca"), "-I", "dave", "-n", "dave", at("dave.pub")]);
  const lines = ["alice", "bob", "carol"].map((name) => `${name} ${publicKey(name)}\n`);
  writeFileSync(at("signers"), `${lines.join("")}dave,erin cert-authority ${publicKey("ca")}\n`, {
    mode: 0o600,
  });
  control = await startTestControl({
    cleanup,
    writePath: (store, clock) =>
      realWritePath({ store, clock, signers: at("signers"), policy: { "*": "signed" } }),
  });
});
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

const ENV = () => ({
  NEXUSD_AGENT_SOCKET: control.sockets.agent,
  NEXUSD_OPERATOR_SOCKET: control.sockets.operator,
  PATH: process.env.PATH ?? "",
});
const nexusctl = (args: string[], env: Record<string, string> = {}): Promise<CliResult> =>
  runHere(args, undefined, { ...ENV(), ...env });

let counter = 0;
async function propose(): Promise<{ id: string; digest: string }> {
  const input = { objectSlug: "company", attributes: { name: `Company ${++counter}` } };
  const body = { operation: "nex.records.create", input };
  return (await control.call("POST", "/v1/writes", { role: "agent", body })).json;
}
const sign = (write: { id: string; digest: string }, key: string, ...more: string[]) => [
  ...["writes", "sign", write.id, "--key", key, "--yes", "--digest", write.digest, ...more],
];

test.each([
  ["a key of a file", "alice", "alice"],
  ["an ECDSA key", "bob", "bob"],
  ["an RSA key", "carol", "carol"],
  ["a certificate", "dave-cert.pub", "dave"],
])("%s signs, and its signature is accepted", async (_what, key, signer) => {
  const write = await propose();
  const { code, stdout, stderr } = await nexusctl(sign(write, at(key), "--decide", "--signer", signer));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ state: "approved", decidedBy: { door: "signature", signer } });
});

test("a certificate for another name, or by an unknown authority, is refused", async () => {
  const write = await propose();
  const asErin = await nexusctl(sign(write, at("dave-cert.pub"), "--decide", "--signer", "erin"));
  expect(JSON.parse(asErin.stdout)).toMatchObject({ code: "signature_wrong_key" });
  const asAlice = await nexusctl(sign(write, at("dave-cert.pub"), "--decide", "--signer", "alice"));
  expect(JSON.parse(asAlice.stdout)).toMatchObject({ code: "signature_wrong_key" });
});

test("a key in an ssh-agent signs", async () => {
  const socket = at("agent.sock.ssh");
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  try {
    const env = { SSH_AUTH_SOCK: socket };
    for (let tries = 0; ; tries++)
      try {
        execFileSync("ssh-add", [at("alice")], { env: { ...process.env, ...env }, stdio: "pipe" });
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    const elsewhere = mkdtempSync(join(tmpdir(), "nexusd-agent-"));
    copyFileSync(at("alice.pub"), join(elsewhere, "alice.pub"));
    const write = await propose();
    const signed = await nexusctl(
      sign(write, join(elsewhere, "alice.pub"), "--decide", "--signer", "alice"),
      env,
    );
    expect(signed).toMatchObject({ code: 0 });
    rmSync(elsewhere, { recursive: true });
  } finally {
    agent.kill();
  }
});

test("at a terminal the complete request is shown first, and only yes signs", async () => {
  const write = await propose();
  const tty = createFakeTty(100, 60);
  const args = ["writes", "sign", write.id, "--key", at("alice"), "--decide", "--signer", "alice"];
  const running = runAtTty(args, tty, undefined, ENV());
  await tty.until((one) => one.text().includes('Sign "approve" for this write? [y/N]'));
  expect(tty.text()).toContain(`"name": "Company ${counter}"`);
  tty.type("n\r");
  expect(await running).toMatchObject({ code: 1 });
  expect((await control.get(`/v1/writes/${write.id}`)).json.state).toBe("proposed");
});

test("in a pipe the signature is printed with its statement, and can be submitted later", async () => {
  const write = await propose();
  const { stdout } = await nexusctl(sign(write, at("alice"), "--decision", "reject"));
  const { statement, signature } = JSON.parse(stdout);
  expect(statement).toContain("decision: reject\n");
  writeFileSync(at("statement"), statement);
  writeFileSync(at("signature"), `${signature.replaceAll("\n", "\r\n")}\r\n`);
  const decided = await nexusctl([
    ...["writes", "decide", write.id, "--statement", at("statement"), "--signature", at("signature")],
    ...["--signer", "alice"],
  ]);
  expect(JSON.parse(decided.stdout)).toMatchObject({ state: "rejected", decidedBy: { signer: "alice" } });
});

test("if a key does not sign, the error says so and nothing is submitted", async () => {
  const write = await propose();
  const { code, stdout } = await nexusctl(sign(write, at("none"), "--decide", "--signer", "alice"));
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: "ssh_keygen_failed" });
  const other = { ...write, digest: "0".repeat(64) };
  expect(JSON.parse((await nexusctl(sign(other, at("alice")))).stdout)).toMatchObject({
    code: "digest_mismatch",
  });
});

test("a statement with its stored request can be checked without a daemon", async () => {
  const write = await propose();
  const { stdout, stderr: made } = await nexusctl(["writes", "statement", write.id, "--bundle"]);
  writeFileSync(at("bundle"), stdout);
  const nowhere = { NEXUSD_AGENT_SOCKET: at("none.sock"), NEXUSD_OPERATOR_SOCKET: at("none.sock") };
  const right = await nexusctl(["statement", "check", at("bundle")], nowhere);
  expect({ code: right.code, ...JSON.parse(right.stdout) }).toMatchObject({ code: 0, ok: true });
  const told = (text: string) => /in words .*/.exec(text)?.[0];
  const { words } = await fingerprintOf(JSON.parse(stdout).statement);
  expect(told(made)).toContain(words.join(" "));
  expect(told(right.stderr)).toBe(told(made));
  writeFileSync(at("bundle"), stdout.replaceAll(`Company ${counter}`, "Company 0"));
  const wrong = await nexusctl(["statement", "check", at("bundle")], nowhere);
  expect(told(wrong.stderr)).not.toBe(told(made));
  expect({ code: wrong.code, ...JSON.parse(wrong.stdout) }).toMatchObject({ code: 1, ok: false });
  writeFileSync(at("bundle"), "please approve");
  expect((await nexusctl(["statement", "check", at("bundle")], nowhere)).code).toBe(1);
});

test("every signed decision can be verified again on a copy, as of its time, and any change is named", async () => {
  const write = await propose();
  await nexusctl(sign(write, at("alice"), "--decide", "--signer", "alice"));
  const nowhere = { NEXUSD_AGENT_SOCKET: at("none.sock"), NEXUSD_OPERATOR_SOCKET: at("none.sock") };
  const copy = at("copy.db");
  await nexusctl(["backup", copy]);
  const verify = async (signers: string, ...more: string[]) => {
    const args = ["audit", "verify", "--copy", copy, "--signers", signers, ...more];
    const { code, stdout } = await nexusctl(args, nowhere);
    return { code, ...JSON.parse(stdout) };
  };
  const verdict = await verify(at("signers"));
  expect(verdict).toMatchObject({ code: 0, ok: true, signatures: { badCount: 0 } });
  expect(verdict.signatures.checked).toBeGreaterThan(3);
  expect(await verify(at("signers"), "--head", verdict.head)).toMatchObject({ code: 0 });
  expect(await verify(at("signers"), "--head", "1".repeat(64))).toMatchObject({
    code: 1,
    noted: { row: null },
  });

  // A former employee whose key has expired since could sign then; a stranger never could.
  const later = (validity: string) =>
    readFileSync(at("signers"), "utf8").replace("alice ", `alice ${validity} `);
  writeFileSync(at("later"), later('valid-before="29990101Z"'), { mode: 0o600 });
  expect(await verify(at("later"))).toMatchObject({ code: 0 });
  writeFileSync(at("later"), later('valid-before="20000101Z"'), { mode: 0o600 });
  const bad = await verify(at("later"));
  expect(bad.signatures.bad[0]).toMatchObject({ signer: "alice", why: expect.stringContaining("not valid") });

  const db = new Database(copy);
  db.exec("DROP TRIGGER audit_is_never_changed");
  db.prepare("UPDATE audit SET signer = 'bob' WHERE action = 'approved' AND write_id = ?").run(write.id);
  db.close();
  const forged = await verify(at("signers"));
  expect(forged).toMatchObject({ code: 1, ok: false, brokenAt: { why: expect.stringContaining("changed") } });
  expect(forged.signatures.bad).toMatchObject([
    { writeId: write.id, why: expect.stringContaining("names bob") },
  ]);

  // The daemon's own log is checked in the same way.
  const asked = await nexusctl(["audit", "verify", "--signers", at("signers")]);
  expect({ code: asked.code, ...JSON.parse(asked.stdout) }).toMatchObject({ code: 0, ok: true });
});
