// Decisions by signature, on a real store and with the system's ssh-keygen.

import { chmodSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Actor, Write } from "../../src/contract/writes.ts";
import type { PolicyRule } from "../../src/writes/config.ts";
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
  test("brought by an agent is executed, and every trace of it names the signer", async () => {
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

  test("of a rejection ends the proposal", async () => {
    const harness = await signedHarness({ by: "signed", signers: ["alice", "bob"], quorum: 2 });
    const write = await harness.propose();
    await decide(harness, write, alice);
    expect(await decide(harness, write, bob, { decision: "reject" })).toMatchObject({
      state: "rejected",
      decidedBy: { signer: "bob" },
    });
  });

  test("is one of several where the policy wants more, each signer counts once, and the last one approves", async () => {
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

  test("under a policy of signatures an operator cannot approve, and can reject", async () => {
    const harness = await signedHarness();
    const { id, digest } = await harness.propose();
    await expect(harness.writes.approve(id, digest, OPERATOR)).rejects.toEqual(code("signature_required"));
    expect(await harness.writes.reject(id, "not today", OPERATOR)).toMatchObject({ state: "rejected" });
  });
});

describe("refused by its own code is", () => {
  test("a signer whom the policy does not name, or any where it names none", async () => {
    const harness = await signedHarness({ by: "signed", signers: ["bob"], quorum: 1 });
    const write = await harness.propose();
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signer_not_allowed"));
    harness.world.policy = policyOf({ "nexus.*": "operator" });
    await expect(decide(harness, write, bob)).rejects.toEqual(code("signer_not_allowed"));
  });

  test("a name or a key that the file of signers does not have", async () => {
    const harness = await signedHarness();
    const write = await harness.propose();
    await expect(decide(harness, write, mallory)).rejects.toEqual(code("signer_unknown"));
    const asAlice = { ...mallory, name: "alice" };
    await expect(decide(harness, write, asAlice)).rejects.toEqual(code("signature_wrong_key"));
    for (const name of ["*", "a*", "alice,bob", "-alice", "!bob", "alice bob", ""])
      await expect(decide(harness, write, { ...alice, name })).rejects.toEqual(code("signer_unknown"));
  });

  test("a key at a time at which it is not valid", async () => {
    const harness = await signedHarness("signed", [
      signerLine(alice, 'valid-before="20200101Z"'),
      signerLine(bob, 'valid-after="20900101Z"'),
    ]);
    const write = await harness.propose();
    await expect(decide(harness, write, alice)).rejects.toEqual(code("signer_not_valid_now"));
    await expect(decide(harness, write, bob)).rejects.toEqual(code("signer_not_valid_now"));
  });

  test("a file of signers that is not there, or that others can write to", async () => {
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
