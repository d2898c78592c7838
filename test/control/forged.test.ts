// Forged decisions: thousands of them over agent.sock, each refused with its own code, by the daemon's real checks and
// the system's ssh-keygen; and valid ones, each accepted once. FORGED=20000 VALID=500 vitest run
// test/control/forged.test.ts is the full form.

import { beforeAll, describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/writes/config.ts";
import { type Answer, startTestControl, type TestControl, temporaryDirectory } from "../support/control.ts";
import { createSigner, type Signer, signerLine, writeSigners } from "../support/signers.ts";
import { realWritePath } from "../support/write-path.ts";

const FORGED = Number(process.env.FORGED ?? 1000);
const VALID = Number(process.env.VALID ?? 25);
/** Of the kinds that only ssh-keygen can detect, one in this many: each costs a process. */
const SELDOM = 8;
const AT_ONCE = 8;
const MOST_MS = 20 * 60_000;

const [alice, bob, mallory, olga, nina] = ["alice", "bob", "mallory", "olga", "nina"].map(createSigner) as [
  ...[Signer, Signer, Signer, Signer, Signer],
];

interface Signed {
  statement: string;
  signature: string;
  signer: string;
}

let control: TestControl;
const cleanups: (() => Promise<void>)[] = [];
let counter = 0;

beforeAll(async () => {
  const cleanup = (work: () => Promise<void>) => cleanups.unshift(work);
  const directory = await temporaryDirectory(cleanup);
  control = await startTestControl({
    cleanup,
    writePath: (store, clock) => {
      const signers = writeSigners(directory, [
        signerLine(alice),
        signerLine(bob),
        signerLine(olga, 'valid-before="20200101Z"'),
        signerLine(nina, 'namespaces="git"'),
      ]);
      const named: PolicyRule = { by: "signed", signers: ["alice", "olga", "nina"], quorum: 1 };
      return realWritePath({ store, clock, signers, policy: { "*": named }, openProposals: 10_000 });
    },
  });
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

const post = (path: string, body: unknown): Promise<Answer> =>
  control.call("POST", `/v1/writes${path}`, { role: "agent", body });

interface Open {
  id: string;
  digest: string;
  statement: string;
}

async function open(): Promise<Open> {
  const input = { objectSlug: "company", attributes: { name: `Company ${++counter}` } };
  const { json } = await post("", { operation: "nex.records.create", input });
  const { text } = await control.get(`/v1/writes/${json.id}/statement`, { role: "agent" });
  return { id: json.id, digest: json.digest, statement: text };
}

const by = (signer: Signer, statement: string, namespace?: string): Signed => ({
  ...{ statement, signer: signer.name },
  signature: signer.sign(statement, namespace),
});

interface Scene {
  target: Open;
  other: Open;
  /** Already decided, by alice. */
  used: Open;
  n: number;
}

/** The n-th byte, changed. */
const changed = (text: string, n: number): string => {
  const at = n % text.length;
  const char = text[at] === "x" ? "y" : "x";
  return text.slice(0, at) + char + text.slice(at + 1);
};

/** After the key and the namespace: the bytes that only the signature proves. */
const changedSignature = (armored: string, n: number): string => {
  const lines = armored.split("\n");
  const at = lines.length - 4;
  const line = lines[at] ?? "";
  return [...lines.slice(0, at), changed(line, 5 + (n % 50)), ...lines.slice(at + 1)].join("\n");
};

const FORGERIES: {
  what: string;
  code: string;
  isForKeygen?: true;
  make: (scene: Scene) => [Open, Signed];
}[] = [
  {
    ...{ what: "another key under the name of a signer", code: "signature_wrong_key" },
    make: ({ target }) => [target, { ...by(mallory, target.statement), signer: "alice" }],
  },
  {
    ...{ what: "the key of another signer", code: "signature_wrong_key" },
    make: ({ target }) => [target, { ...by(bob, target.statement), signer: "alice" }],
  },
  {
    ...{ what: "another namespace", code: "signature_wrong_namespace" },
    make: ({ target, n }) => [target, by(alice, target.statement, ["git", "file", "email"][n % 3])],
  },
  {
    ...{ what: "a namespace that the file does not allow the key", code: "signature_wrong_namespace" },
    isForKeygen: true,
    make: ({ target }) => [target, by(nina, target.statement)],
  },
  {
    ...{ what: "a principal that the file does not have", code: "signer_unknown" },
    make: ({ target, n }) => [
      target,
      { ...by(alice, target.statement), signer: ["mallory", "*", "-alice", "alice,bob"][n % 4] ?? "" },
    ],
  },
  {
    ...{ what: "a signer whom the policy does not name", code: "signer_not_allowed" },
    make: ({ target }) => [target, by(bob, target.statement)],
  },
  {
    ...{ what: "a key whose time is over", code: "signer_not_valid_now" },
    isForKeygen: true,
    make: ({ target }) => [target, by(olga, target.statement)],
  },
  {
    ...{ what: "another epoch", code: "statement_other_epoch" },
    make: ({ target, n }) => [target, by(alice, target.statement.replace(/epoch: .*/, `epoch: ${n}`))],
  },
  {
    ...{ what: "another digest", code: "digest_mismatch" },
    make: ({ target, n }) => [
      target,
      by(alice, target.statement.replace(/sha256:.{8}/, `sha256:${String(n).padStart(8, "0")}`)),
    ],
  },
  {
    ...{ what: "the statement of another write", code: "statement_other_write" },
    make: ({ target, other }) => [target, by(alice, other.statement)],
  },
  {
    ...{ what: "a longer time", code: "statement_mismatch" },
    make: ({ target }) => [
      target,
      by(alice, target.statement.replace(/valid-until: \d+/, "valid-until: 2999")),
    ],
  },
  {
    ...{ what: "a changed byte, signed as it is", code: "statement_mismatch" },
    make: ({ target, n }) => {
      const at = target.statement.indexOf("request: ");
      return [target, by(alice, target.statement.slice(0, at) + changed(target.statement.slice(at), n))];
    },
  },
  {
    ...{ what: "another version", code: "statement_version" },
    make: ({ target, n }) => [target, by(alice, target.statement.replace(" v1\n", ` v${n + 2}\n`))],
  },
  {
    ...{ what: "no statement", code: "statement_malformed" },
    make: ({ target, n }) => [target, by(alice, `please approve ${n}`)],
  },
  {
    ...{ what: "the signature of another statement", code: "signature_bad" },
    isForKeygen: true,
    make: ({ target, other }) => [target, { ...by(alice, other.statement), statement: target.statement }],
  },
  {
    ...{ what: "a changed byte of the signature", code: "signature_bad" },
    isForKeygen: true,
    make: ({ target, n }) => {
      const signed = by(alice, target.statement);
      return [target, { ...signed, signature: changedSignature(signed.signature, n) }];
    },
  },
  {
    ...{ what: "no signature", code: "signature_malformed" },
    make: ({ target, n }) => [target, { ...by(alice, target.statement), signature: `signed, alice ${n}` }],
  },
  {
    ...{ what: "the statement that was used before", code: "statement_used" },
    make: ({ used }) => [used, by(alice, used.statement)],
  },
];

/** Some at once, all of them. */
async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

describe("over agent.sock", () => {
  test(
    `${FORGED} forged decisions: none is accepted, and each is refused with its own code`,
    async () => {
      const [target, other, used] = [await open(), await open(), await open()];
      expect((await post(`/${used.id}/decide`, by(alice, used.statement))).status).toBe(200);
      const refused = new Map<string, number>();
      const cheap = FORGERIES.filter(({ isForKeygen }) => !isForKeygen);
      const dear = FORGERIES.filter(({ isForKeygen }) => isForKeygen);
      await each(FORGED, async (n) => {
        const kinds = n % SELDOM === 0 ? dear : cheap;
        const forgery = kinds[Math.floor(n / SELDOM + n) % kinds.length];
        if (!forgery) throw new Error("there are kinds");
        const [write, signed] = forgery.make({ target, other, used, n });
        const { status, json } = await post(`/${write.id}/decide`, signed);
        expect({ what: forgery.what, code: json.code, isRefused: status >= 400 }).toEqual({
          ...{ what: forgery.what, code: forgery.code, isRefused: true },
        });
        refused.set(forgery.what, (refused.get(forgery.what) ?? 0) + 1);
      });
      expect([...refused.keys()].sort()).toEqual(FORGERIES.map(({ what }) => what).sort());
      for (const { id } of [target, other])
        expect((await control.get(`/v1/writes/${id}`)).json).toMatchObject({
          state: "proposed",
          signedBy: [],
        });

      // An agent's own approval, on the socket that grants no rights.
      for (const verb of ["approve", "reject"])
        expect((await post(`/${target.id}/${verb}`, { digest: target.digest })).json.code).toBe(
          "operator_only",
        );
      // After all of it the write can still be decided by its signer.
      expect((await post(`/${target.id}/decide`, by(alice, target.statement))).status).toBe(200);
    },
    MOST_MS,
  );

  test(
    `${VALID} valid decisions: each is accepted once, however often or simultaneously it is sent`,
    async () => {
      await each(VALID, async () => {
        const write = await open();
        const signed = by(alice, write.statement);
        const answers = await Promise.all([1, 2].map(() => post(`/${write.id}/decide`, signed)));
        const again = await post(`/${write.id}/decide`, by(alice, write.statement));
        expect([...answers, again].map(({ status }) => status).sort()).toEqual([200, 409, 409]);
        const codes = [...answers, again].flatMap(({ json }) => json.code ?? []);
        expect(codes).toEqual(["statement_used", "statement_used"]);
      });
      expect(await control.store.verifyAudit()).toMatchObject({ ok: true });
    },
    MOST_MS,
  );
});
