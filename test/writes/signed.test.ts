// Decisions by signature, on a real store and with the system's ssh-keygen.

import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Actor } from "../../src/contract/actor.ts";
import type { AuditRow, Write } from "../../src/contract/writes.ts";
import type { PolicyRule } from "../../src/writes/config.ts";
import { signedDifferences } from "../../src/writes/signed-record.ts";
import { createSigner, type Signer, signerLine, writeSigners } from "../support/signers.ts";
import { temporaryDirectory } from "../support/store.ts";
import { AGENT, createHarness, OPERATOR, policyOf } from "./harness.ts";

const [alice, bob, mallory] = ["alice", "bob", "mallory"].map(createSigner) as [Signer, Signer, Signer];
const ANY_KEY = expect.stringMatching(/^SHA256:/);

async function signedHarness(
  rule: PolicyRule = "signed",
  lines = [alice, bob].map((one) => signerLine(one)),
) {
  const harness = await createHarness();
  harness.world.policy = policyOf({ "nexus.*": rule });
  harness.world.signers = writeSigners(temporaryDirectory(), lines);
  return harness;
}
type Harness = Awaited<ReturnType<typeof signedHarness>>;

const decide = async (
  { writes }: Harness,
  write: Pick<Write, "id">,
  signer: Signer,
  { decision = "approve" as "approve" | "reject", via = AGENT as Actor } = {},
) => {
  const statement = await writes.statement(write.id, decision);
  return await writes.decide(
    write.id,
    { statement, signature: signer.sign(statement), signer: signer.name },
    via,
  );
};
const code = (code: string) => expect.objectContaining({ code });

describe("a signed decision", () => {
  test("by an agent is executed, and every record of it names the signer", async () => {
    const harness = await signedHarness();
    await harness.executor.start();
    const write = await harness.propose();
    const decided = await decide(harness, write, alice);
    expect(decided).toMatchObject({
      state: "approved",
      decidedBy: { via: "agent.sock", signer: "alice" },
      signedBy: [{ signer: "alice", key: ANY_KEY }],
    });
    expect(await harness.finished(write.id)).toMatchObject({ state: "succeeded" });
    const rows = await harness.store.readAudit({ writeId: write.id, limit: 100 });
    expect(rows.find(({ action }) => action === "approved")).toMatchObject({
      actor: { via: "agent.sock", signer: "alice" },
    });
    expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
    const { events } = await harness.store.readEvents({ after: 0, limit: 100 });
    const told = events
      .map(({ json }) => JSON.parse(json))
      .find(({ type }) => type === "nexusd.write.approved");
    expect(told.data.actor).toEqual({ door: "signature", user: AGENT.user, signer: "alice" });
  });

  test("to reject ends the proposal", async () => {
    const harness = await signedHarness({ by: "signed", signers: ["alice", "bob"], quorum: 2 });
    const write = await harness.propose();
    await decide(harness, write, alice);
    expect(await decide(harness, write, bob, { decision: "reject" })).toMatchObject({
      state: "rejected",
      decidedBy: { signer: "bob" },
    });
  });

  test("is one of several if the policy requires more; each signer counts once, and the last one approves", async () => {
    const harness = await signedHarness({ by: "signed", signers: ["alice", "bob"], quorum: 2 });
    const write = await harness.propose();
    expect(await decide(harness, write, alice)).toMatchObject({
      state: "proposed",
      decidedAt: null,
      signedBy: [{ signer: "alice" }],
    });
    await expect(decide(harness, write, alice)).rejects.toEqual(code("statement_used"));
    await harness.crash();
    await expect(decide(harness, write, alice)).rejects.toEqual(code("statement_used"));
    expect(await decide(harness, write, bob)).toMatchObject({
      state: "approved",
      signedBy: [{ signer: "alice" }, { signer: "bob" }],
    });
    expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
  });

  test("is required by a signature policy: an operator cannot approve, but can reject", async () => {
    const harness = await signedHarness();
    const { id, digest } = await harness.propose();
    await expect(harness.writes.approve(id, digest, OPERATOR)).rejects.toEqual(code("signature_required"));
    expect(await harness.writes.reject(id, "not today", OPERATOR)).toMatchObject({ state: "rejected" });
  });
});

describe("refused by its own code is", () => {
  test("a signer whom the policy does not name, or any if it names none", async () => {
    const harness = await signedHarness({ by: "signed", signers: ["bob"], quorum: 1 });
    const write = await harness.propose();
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signer_not_allowed"));
    harness.world.policy = policyOf({ "nexus.*": "operator" });
    await expect(decide(harness, write, bob)).rejects.toEqual(code("signer_not_allowed"));
  });

  test("a name or key missing in the file of signers", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    await expect(decide(harness, write, mallory)).rejects.toEqual(code("signer_unknown"));
    const asAlice = { ...mallory, name: "alice" };
    await expect(decide(harness, write, asAlice)).rejects.toEqual(code("signature_wrong_key"));
    for (const name of ["*", "a*", "alice,bob", "-alice", "!bob", "alice bob", ""])
      await expect(decide(harness, write, { ...alice, name })).rejects.toEqual(code("signer_unknown"));
  });

  test("a key outside its time of validity", async () => {
    const harness = await signedHarness("signed", [
      signerLine(alice, 'valid-before="20200101Z"'),
      signerLine(bob, 'valid-after="20900101Z"'),
    ]);
    const write = await harness.propose();
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signer_not_valid_now"));
    await expect(decide(harness, write, bob)).rejects.toEqual(code("signer_not_valid_now"));
  });

  test("a file of signers that is missing, or writable by others", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    const { signers = "" } = harness.world;
    chmodSync(signers, 0o622);
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signers_file_insecure"));
    harness.world.signers = `${signers}.other`;
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signers_file_missing"));
    harness.world.signers = undefined;
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signers_not_configured"));
  });
});

const BOTH: PolicyRule = { by: "signed", signers: ["alice", "bob"], quorum: 2 };

describe("a decision that comes too late", () => {
  test("is refused as expired", async () => {
    const harness = await signedHarness();
    const { id } = await harness.propose({ ttlMs: 60_000 });
    const statement = await harness.writes.statement(id, "approve");
    await harness.clock.advance(61_000);
    const signed = { statement, signature: alice.sign(statement), signer: "alice" };
    await expect(harness.writes.decide(id, signed, AGENT)).rejects.toEqual(code("statement_expired"));
    await expect(harness.writes.statement(id, "approve")).rejects.toEqual(code("write_expired"));
  });

  test("is answered with what was decided before, and by whom", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    const statement = await harness.writes.statement(write.id, "approve");
    await decide(harness, write, alice, { decision: "reject" });
    const byBob = { statement, signature: bob.sign(statement), signer: "bob" };
    await expect(harness.writes.decide(write.id, byBob, AGENT)).rejects.toThrow(
      /was rejected at .* by the signature of alice/,
    );
    await expect(harness.writes.statement(write.id, "approve")).rejects.toEqual(
      code("write_already_decided"),
    );
  });
});

describe("several signers", () => {
  test("who decide at the same moment all count, and none twice", async () => {
    const people = ["ann", "ben", "cem", "dan", "eve"].map(createSigner);
    const names = people.map(({ name }) => name);
    const harness = await signedHarness(
      { by: "signed", signers: names, quorum: 5 },
      people.map((one) => signerLine(one)),
    );
    const write = await harness.propose();
    const decisions = await Promise.allSettled(
      [...people, ...people].map((one) => decide(harness, write, one)),
    );
    expect(decisions.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    const { state, signedBy } = await harness.writes.get(write.id);
    expect([state, signedBy.map(({ signer }) => signer).sort()]).toEqual(["approved", names]);
    expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
  });

  test("can change their minds while others are awaited", async () => {
    const harness = await signedHarness(BOTH);
    const write = await harness.propose();
    await decide(harness, write, alice);
    expect(await decide(harness, write, alice, { decision: "reject" })).toMatchObject({
      state: "rejected",
      decidedBy: { signer: "alice" },
    });
  });

  test("with one key are one: a key counts once, whatever names it has", async () => {
    const sameKey = { ...alice, name: "bob" };
    const harness = await signedHarness(BOTH, [signerLine(alice), signerLine(sameKey)]);
    const write = await harness.propose();
    await decide(harness, write, alice);
    await expect(decide(harness, write, sameKey)).rejects.toThrow(/The key SHA256:\S+ approved .* as alice/);
  });

  test("of whom one was removed from the file, or from the policy, count without that one", async () => {
    const harness = await signedHarness(BOTH);
    const first = await harness.propose();
    await decide(harness, first, alice);
    const { signers = "" } = harness.world;
    writeFileSync(signers, signerLine(bob));
    expect(await decide(harness, first, bob)).toMatchObject({
      state: "proposed",
      signedBy: [{ signer: "bob" }],
    });
    // With a new key she may sign again.
    const renewed = createSigner("alice");
    writeFileSync(signers, signerLine(bob) + signerLine(renewed));
    expect(await decide(harness, first, renewed)).toMatchObject({ state: "approved" });

    const second = await harness.propose({ input: { sku: "TEA-2" } });
    await decide(harness, second, renewed);
    harness.world.policy = policyOf({ "nexus.*": { by: "signed", signers: ["bob", "carol"], quorum: 2 } });
    expect(await decide(harness, second, bob)).toMatchObject({
      state: "proposed",
      signedBy: [{ signer: "bob" }],
    });
  });
});

describe("an approved write that has not begun is not executed if the policy has changed to", () => {
  test.each<[string, PolicyRule, RegExp]>([
    ["want an operator", "operator", /by now wants an operator/],
    [
      "name other signers",
      { by: "signed", signers: ["bob"], quorum: 1 },
      /by now are not those that the policy wants/,
    ],
    ["want more of them", BOTH, /by now are not those that the policy wants/],
    ["deny it", "deny", /The policy now denies/],
  ])("%s", async (_what, rule, why) => {
    const harness = await signedHarness();
    const write = await harness.propose();
    await decide(harness, write, alice);
    harness.world.policy = policyOf({ "nexus.*": rule });
    await harness.executor.start();
    const { state, result } = await harness.finished(write.id);
    expect([state, result?.error?.message]).toEqual(["failed", expect.stringMatching(why)]);
    expect(harness.service.wire).toEqual([]);
  });

  test("require signatures for a write that an operator approved", async () => {
    const harness = await signedHarness("operator");
    const write = await harness.approved();
    harness.world.policy = policyOf({ "nexus.*": "signed" });
    await harness.executor.start();
    expect((await harness.finished(write.id)).result?.error?.code).toBe("policy_changed");
  });
});

describe("ssh-keygen", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("that is missing, or hangs, is reported as the cause", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    vi.stubEnv("PATH", temporaryDirectory());
    await expect(decide(harness, write, alice)).rejects.toEqual(code("ssh_keygen_missing"));
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "ssh-keygen"), "#!/bin/sh\nexec /bin/sleep 60\n", { mode: 0o755 });
    vi.stubEnv("PATH", directory);
    await expect(decide(harness, write, alice)).rejects.toEqual(code("ssh_keygen_failed"));
    vi.unstubAllEnvs();
    expect(await decide(harness, write, alice)).toMatchObject({ state: "approved" });
  }, 30_000);

  test("leaves no file behind, and others cannot see its input", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    const [bin, temporary] = [temporaryDirectory(), temporaryDirectory()];
    const seen = join(bin, "seen");
    writeFileSync(
      join(bin, "ssh-keygen"),
      `#!/bin/sh\nPATH=/usr/bin:/bin\nstat -c %a ${temporary}/* ${temporary}/*/* >${seen}\nexec /usr/bin/ssh-keygen "$@"\n`,
      { mode: 0o755 },
    );
    vi.stubEnv("PATH", bin);
    vi.stubEnv("TMPDIR", temporary);
    expect(await decide(harness, write, alice)).toMatchObject({ state: "approved" });
    expect(readFileSync(seen, "utf8")).toBe("700\n600\n600\n");
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("has a limited queue, and requests beyond it are refused as such", async () => {
    const harness = await signedHarness();
    const [write, other] = [await harness.propose(), await harness.propose({ input: { sku: "TEA-2" } })];
    const statement = await harness.writes.statement(write.id, "approve");
    const another = await harness.writes.statement(other.id, "approve");
    const forged = { statement, signature: alice.sign(another), signer: "alice" };
    const asked = Array.from({ length: 60 }, () => harness.writes.decide(write.id, forged, AGENT));
    const codes = (await Promise.allSettled(asked)).map(
      (one) => one.status === "rejected" && one.reason.code,
    );
    expect(new Set(codes)).toEqual(new Set(["signature_bad", "too_many_verifications"]));
    expect(codes.filter((one) => one === "signature_bad").length).toBeGreaterThanOrEqual(32);
    // An operator has reserved places meanwhile.
    const flood = Array.from({ length: 60 }, () =>
      harness.writes.decide(write.id, forged, AGENT).catch(() => {}),
    );
    expect(await decide(harness, write, alice, { via: OPERATOR })).toMatchObject({ state: "approved" });
    await Promise.all(flood);
  });
});

test("a signed write changed in the database is found, and the signed statement says what it was", async () => {
  const harness = await signedHarness();
  const write = await harness.propose();
  await decide(harness, write, alice);
  const [row] = (await harness.store.readAudit({ writeId: write.id, limit: 10 })).slice(-1);
  if (!row) throw new Error("it was approved");
  const of = (write: Write, rows: AuditRow[]) => signedDifferences(write, rows);
  const now = await harness.writes.get(write.id);
  expect(of(now, [row])).toEqual([]);
  const changes: [Partial<Write>, RegExp][] = [
    [
      { preview: { ...now.preview, body: '{"sku":"GOLD"}' } },
      /is not the one that the write, as it is stored, has/,
    ],
    [{ preview: { ...now.preview, url: "https://evil.example/" } }, /is not the one/],
    [{ expiresAt: "2999-01-01T00:00:00.000Z" }, /is not the one/],
  ];
  for (const [change, why] of changes)
    expect(of({ ...now, ...change }, [row])).toEqual([expect.stringMatching(why)]);
  const rows: [Partial<AuditRow>, RegExp][] = [
    [{ action: "rejected" }, /the statement says approve, and the write was rejected/],
    [{ actor: { ...row.actor, signer: "bob" } }, /it names bob, and holds a signature of alice/],
    [{ digest: "0".repeat(64) }, /names another digest/],
    [{ writeId: "another" }, /is about the write/],
    [{ at: "2999-01-01T00:00:00.000Z" }, /was valid until .* only/],
    [{ detail: "{}" }, /holds no statement and signature/],
  ];
  for (const [change, why] of rows)
    expect(of(now, [{ ...row, ...change }])).toEqual([expect.stringMatching(why)]);
});
