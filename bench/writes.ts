// The cost of a proposal against a bare insert of the same bytes with the same durability, and how soon an approved
// write, or one with a signed decision, is on the wire.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { configSchema } from "../src/config/schema.ts";
import { Secret } from "../src/config/secrets.ts";
import type { Write } from "../src/contract/writes.ts";
import { systemClock } from "../src/core/clock.ts";
import { createRedactor } from "../src/core/redaction.ts";
import { createSteadyClock } from "../src/core/steady-clock.ts";
import { startServices } from "../src/daemon/services.ts";
import { createWritePath } from "../src/daemon/write-path.ts";
import { createBudgets } from "../src/http/budgets.ts";
import { createCounts } from "../src/services/counts.ts";
import { NAMESPACE } from "../src/signatures/sshsig.ts";
import { createVerifier } from "../src/signatures/verify.ts";
import { openStore } from "../src/store/sqlite/store.ts";
import { createSigner, signerLine, writeSigners } from "../test/support/signers.ts";
import { median, print } from "./figure.ts";

const PROPOSALS = 2000;
const AT_ONCE = [1, 4, 16];
const APPROVALS = 200;
const OPERATOR = { via: "operator.sock", user: null } as const;
const AGENT = { via: "agent.sock", user: null } as const;

const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
const arrivals = new Map<string, number>();
const server = createServer((request, response) => {
  const arrivedAt = performance.now();
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    arrivals.set(JSON.parse(body).attributes.name, arrivedAt);
    response.setHeader("content-type", "application/json").end('{"id":"1"}');
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo; // a server that listens on TCP has one

let config = configSchema.parse({
  messaging: { enabled: false },
  nex: { base_url: `http://127.0.0.1:${port}`, api_key: { source: "env", id: "X" } },
  nexus: { enabled: false },
  // No proposal is decided here.
  limits: { open_proposals: 100_000, open_proposal_bytes: "1GiB" },
});
const clock = systemClock;
const random = Math.random;
const store = await openStore({ dataDir: join(directory, "data"), clock });
const log = pino({ level: "silent" });
const secrets = { nex: { api_key: new Secret("sk-of-nobody") } };
const services = await startServices({
  ...{ store, clock, steady: createSteadyClock(clock), random, log },
  version: "bench",
  redactor: createRedactor(),
  budgets: createBudgets({ clock }),
  counts: createCounts(),
});
await services.recall();
services.connect({ config, secrets });
const { writes, executor, load } = createWritePath({
  secrets: () => ({}),
  config: () => config,
  services,
  ...{ store, clock, random, steady: createSteadyClock(clock) },
  log,
  redactor: { find: () => [] },
});
await load();

const propose = async (name: string): Promise<Write> => {
  const input = { objectSlug: "company", attributes: { name, domain: `${name}.example` } };
  return (await writes.propose({ operation: "nex.records.create", input, reason: "a benchmark" }, AGENT))
    .write;
};

/** Runs the work `count` times, with `atOnce` in parallel; returns the rate per second. */
async function rate(
  count: number,
  atOnce: number,
  work: (n: number) => Promise<unknown> | unknown,
): Promise<number> {
  let next = 0;
  const begin = performance.now();
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (count / (performance.now() - begin)) * 1000;
}

/** One insert, one transaction, one fsync, as SQLite does with WAL and synchronous=FULL. */
function bareRate(bytes: string): number {
  const db = new Database(join(directory, "bare.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec("create table if not exists bare (id integer primary key, bytes text not null)");
  const insert = db.prepare("insert into bare (bytes) values (?)");
  const begin = performance.now();
  for (let n = 0; n < PROPOSALS; n++) insert.run(bytes);
  const perSecond = (PROPOSALS / (performance.now() - begin)) * 1000;
  db.close();
  return perSecond;
}

/** Everything that one proposal puts on disk: the write, its event, its audit row. */
const sample = await propose("sample");
const { events } = await store.readEvents({ after: 0, limit: 1 });
const bytes = JSON.stringify(sample) + events[0]?.json + JSON.stringify(await store.readAudit({ limit: 1 }));
for (const atOnce of AT_ONCE) {
  const baseline = bareRate(bytes);
  const value = await rate(PROPOSALS, atOnce, (n) => propose(`p${atOnce}-${n}`));
  print({
    bench: "writes",
    case: `${atOnce} at once`,
    figure: "proposals",
    value,
    unit: "per second",
    baseline,
  });
}

await executor.start();

/** From a decision to the first byte of its request, for `count` writes in sequence. */
async function delays(
  name: string,
  prepare: (write: Write) => Promise<() => Promise<unknown>>,
): Promise<number> {
  const found: number[] = [];
  for (let n = 0; n < APPROVALS; n++) {
    const write = await propose(`${name}${n}`);
    const decide = await prepare(write);
    const decidedAt = performance.now();
    await decide();
    while ((await store.readWrite(write.id))?.state !== "succeeded")
      await new Promise((resolve) => setImmediate(resolve));
    found.push((arrivals.get(`${name}${n}`) ?? Number.NaN) - decidedAt);
  }
  return median(found);
}
const timeToFirstByte = (decision: string, value: number) =>
  print({ bench: "writes", case: decision, figure: "median time to the first byte", value, unit: "ms" });

const approval = await delays(
  "a",
  async ({ id, digest }) =>
    () =>
      writes.approve(id, digest, OPERATOR),
);
timeToFirstByte("approval", approval);

const alice = createSigner("alice");
const signers = writeSigners(directory, [signerLine(alice)]);
config = { ...config, approvals: { ...config.approvals, signers, policy: { "*": "signed" } } };
const verifier = createVerifier(() => signers);
const verifications: number[] = [];
const signed = await delays("s", async ({ id }) => {
  const statement = await writes.statement(id, "approve");
  const decision = { statement, signature: alice.sign(statement), signer: alice.name };
  const startedAt = performance.now();
  await verifier.verify({ ...decision, text: statement, at: clock.now() }, "agents");
  verifications.push(performance.now() - startedAt);
  return () => writes.decide(id, decision, AGENT);
});
timeToFirstByte("signed decision", signed);
print({
  bench: "writes",
  case: "signed decision",
  figure: "of which verifying with ssh-keygen, median",
  value: median(verifications),
  unit: "ms",
  baseline: bareVerification(),
});

/** ssh-keygen on existing files, in ms. */
function bareVerification(): number {
  const signature = join(directory, "signature");
  const input = "a text\n";
  writeFileSync(signature, alice.sign(input));
  const args = ["-Y", "verify", "-f", signers, "-I", alice.name, "-n", NAMESPACE, "-s", signature];
  const taken = Array.from({ length: APPROVALS }, () => {
    const startedAt = performance.now();
    spawnSync("ssh-keygen", args, { input });
    return performance.now() - startedAt;
  });
  return median(taken);
}

await executor.stop(1000);
await store.close();
server.close();
server.closeAllConnections();
rmSync(directory, { recursive: true });
