// A second pair of eyes: whatever a page or a proxy could have changed in a statement is found on another machine, by
// building it again from the stored request.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { type Write, WriteError } from "../../src/contract/writes.ts";
import { digestOf } from "../../src/core/canonical-json.ts";
import { systemClock } from "../../src/core/clock.ts";
import { stringifyJson } from "../../src/core/exact-json.ts";
import { catalogue } from "../../src/services/catalogue.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { renderStatement } from "../../src/writes/statement.ts";
import { type Bundle, bundleText, checkBundle, readBundle } from "../../src/writes/statement-bundle.ts";
import { createSigner, signerLine, writeSigners } from "../support/signers.ts";
import { ORDER_ID, realWritePath, SESSION_ID } from "../support/write-path.ts";

const AGENT = { via: "agent.sock", user: null } as const;
const alice = createSigner("alice");

const PROPOSALS: [operation: string, input: Record<string, unknown>][] = [
  ["nexus.orders.update_status", { orderId: ORDER_ID, orderStatus: "shipped" }],
  ["nexus.customers.create", { firstName: "Ada\u202e", email: "a@acme.example" }],
  [
    "nex.records.create",
    { objectSlug: "company", attributes: { name: "Acme", amount: 1200, id: 9007199254740993n } },
  ],
  ["nex.context.add_text", { content: "The parcel left on Monday." }],
  ["messaging.messages.send", { session: SESSION_ID, text: "The parcel left." }],
];

let directory: string;
let store: Store;
let writes: ReturnType<typeof realWritePath>["writes"];
const bundles: Bundle[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "nexusd-bundles-"));
  store = await openStore({ dataDir: directory, clock: systemClock });
  const signers = writeSigners(directory, [signerLine(alice)]);
  ({ writes } = realWritePath({ store, clock: systemClock, policy: { "*": "signed" }, signers }));
  for (const [operation, input] of PROPOSALS) {
    const { write } = await writes.propose({ operation, input }, AGENT);
    const statement = await writes.statement(write.id, "approve");
    const bundle = readBundle(bundleText({ write, epoch: store.epoch, decision: "approve", statement }));
    if (bundle) bundles.push(bundle);
  }
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const failing = (bundle: Bundle) =>
  checkBundle(bundle).flatMap(({ check, ok }) => (ok === false ? [check] : []));

describe("an honest bundle", () => {
  test.each(PROPOSALS.map(([operation], at) => [operation, at] as const))(
    "everything of %s is rebuilt from the stored request",
    (_operation, at) => {
      expect(checkBundle(bundles[at] as Bundle).map(({ check, ok }) => [check, ok])).toEqual([
        ["statement", true],
        ["digest", true],
        ["rendering", true],
        ["request", true],
      ]);
    },
  );
});

/** What a man in the middle could show the person; each returns the bundle changed, or unchanged if it cannot. */
const LIES: Record<string, (bundle: Bundle) => Bundle> = {
  ...textLies(),
  "another body, everywhere it is shown": ({ write, ...rest }) => {
    const body = write.preview.body?.replace(/[a-z]{4}(?=")/, "zzzz") ?? null;
    return remade({ ...rest, write: { ...write, preview: { ...write.preview, body } } });
  },
  "another amount in the body": ({ write, ...rest }) => {
    const body =
      write.preview.body?.replace(/\d(?=\D|$)/, (digit) => String((Number(digit) + 1) % 10)) ?? null;
    return remade({ ...rest, write: { ...write, preview: { ...write.preview, body } } });
  },
  "another target in the URL": ({ write, ...rest }) => {
    const url = `${write.preview.url.slice(0, -1)}9`;
    return remade({ ...rest, write: { ...write, preview: { ...write.preview, url } } });
  },
  "another method": ({ write, ...rest }) =>
    remade({ ...rest, write: { ...write, preview: { ...write.preview, method: "DELETE" } } }),
  "a member more in the body": ({ write, ...rest }) => {
    const body = write.preview.body?.replace(/^\{/, '{"note":"harmless",') ?? null;
    return remade({ ...rest, write: { ...write, preview: { ...write.preview, body } } });
  },
  "reordered members": ({ write, ...rest }) => {
    const body = write.preview.body && stringifyJson(reversed(JSON.parse(write.preview.body)));
    return remade({ ...rest, write: { ...write, preview: { ...write.preview, body } } });
  },
  "another stored request under the digest that was approved": ({ write, ...rest }) => ({
    ...rest,
    write: { ...write, request: write.request.replace(/[a-z]"/, 'x"') },
  }),
  "another stored request with a digest to match": ({ write, ...rest }) => {
    const request = write.request.replace(/"(?=[A-Za-z])/, '"x');
    return { ...rest, write: { ...write, request, digest: digestOf(request) } };
  },
  "the operation of another name": ({ write, ...rest }) =>
    remade({ ...rest, write: { ...write, operation: "nexus.orders.list" } }),
};

/** In the text of the statement alone. */
function textLies(): Record<string, (bundle: Bundle) => Bundle> {
  const change = (edit: (lines: string[]) => string[]) => (bundle: Bundle) => ({
    ...bundle,
    statement: edit(bundle.statement.split("\n")).join("\n"),
  });
  const replace = (from: RegExp, to: string) => (bundle: Bundle) => ({
    ...bundle,
    statement: bundle.statement.replace(from, to),
  });
  return {
    "a line left out of the body": change((lines) => lines.toSpliced(11, 1)),
    "lines in another order": change((lines) => [...lines.slice(0, 10), ...lines.slice(10).reverse()]),
    "a line more": change((lines) => [...lines.slice(0, -1), "  }", ""]),
    "a changed letter of the body": change((lines) =>
      lines.map((line, at) => (at === 11 ? `${line} ` : line)),
    ),
    "a hidden character": change((lines) => lines.map((line, at) => (at === 11 ? `${line}\u200b` : line))),
    "another time until which it is valid": replace(/valid-until: \d+/, "valid-until: 2999"),
    "another decision": replace(/decision: approve/, "decision: reject"),
    "another epoch": replace(/epoch: \S+/, "epoch: elsewhere"),
    "another write": replace(/write: \S+/, "write: 01M7XZT09MNS1PP9GFZDJDF428"),
    "another digest": replace(/sha256:[0-9a-f]{8}/, "sha256:00000000"),
    "another host": replace(/https:\/\/[^/]+/, "https://evil.example"),
    "another length of the body": replace(/body: \d+/, "body: 1"),
    "line ends of Windows": replace(/\n/g, "\r\n"),
  };
}

const reversed = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).reverse())
    : value;

/** With a statement that matches what is shown: as a liar who knows the renderer would make it. */
function remade(bundle: Bundle): Bundle {
  const { write, epoch, decision } = bundle;
  const text = bundleText({ write: write as unknown as Write, epoch, decision, statement: "" });
  const again = readBundle(text);
  if (!again) throw new Error("it is a bundle");
  return { ...again, statement: renderStatement(write, epoch, decision) };
}

test("a hundred lies about five writes are all found, or refused by the daemon with their own code", async () => {
  const codes = new Map<string, number>();
  const leftToTheDaemon: string[] = [];
  let planted = 0;
  for (const [at, bundle] of bundles.entries())
    for (const [name, lie] of Object.entries(LIES)) {
      const told = lie(bundle);
      if (stringifyJson(told) === stringifyJson(bundle)) continue;
      planted++;
      const about = `${name} of ${PROPOSALS[at]?.[0]}`;
      if (failing(told).length === 0) leftToTheDaemon.push(about);
      // Signing a text that says "reject" rejects.
      if (told.statement === bundle.statement || name === "another decision") continue;
      // Signed all the same, by a person who used no second machine.
      const signature = alice.sign(told.statement);
      const decided = writes.decide(
        bundle.write.id,
        { statement: told.statement, signature, signer: "alice" },
        AGENT,
      );
      const error: unknown = await decided.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (!(error instanceof WriteError)) throw new Error(`${about} was not refused: ${error}`);
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
  expect(planted).toBeGreaterThanOrEqual(100);
  // The organization is not in the input: its id is the one thing that a request alone cannot prove.
  expect(leftToTheDaemon).toEqual(["another amount in the body of nexus.customers.create"]);
  expect([...codes.keys()].sort()).toEqual([
    "digest_mismatch",
    "statement_malformed",
    "statement_mismatch",
    "statement_other_epoch",
    "statement_other_write",
  ]);
  for (const { write } of bundles) expect((await writes.get(write.id)).state).toBe("proposed");
});

test("facts that only a service knows are listed for a person to compare", () => {
  const [bundle] = bundles;
  if (!bundle) throw new Error("there is one");
  expect(catalogue.get("nexus.mcp.pay")).toBeUndefined();
  const request = bundle.write.request.replace("nexus.orders.update_status", "nexus.mcp.pay");
  const ofTool = remade({
    ...bundle,
    write: { ...bundle.write, operation: "nexus.mcp.pay", request, digest: digestOf(request) },
  });
  expect(checkBundle(ofTool).map(({ ok }) => ok)).toEqual([true, true, true, null]);
});
