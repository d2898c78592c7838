// A process that proposes, approves and executes writes until it is killed. Run as:
//   node writes-child.ts DATA_DIR ORIGIN NAME     begins with a line on stdin, and says "approved <write>" on stdout
//   node writes-child.ts DATA_DIR ORIGIN          only finishes what is there, then ends

import { once } from "node:events";
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { KEEPS_NOTHING } from "../../src/services/module.ts";
import {
  defineOperationsOf,
  type Facts,
  NO_CREDENTIAL,
  type Operation,
  type OperationAnswer,
  type OperationRequest,
  type OperationSender,
} from "../../src/services/operation.ts";
import { createVerifier } from "../../src/signatures/verify.ts";
import { createExecutor } from "../../src/writes/executor.ts";
import { createPolicy } from "../../src/writes/policy.ts";
import { createWrites } from "../../src/writes/writes.ts";
import { oneAccount } from "../support/accounts.ts";
import { limitsOf } from "../support/limits.ts";
import { openStore } from "../support/open-store.ts";

const TIMEOUT_MS = 100;
const [dataDir = "", origin = "", name = ""] = process.argv.slice(2);

const input = z.strictObject({ name: z.string() });
type Input = z.output<typeof input>;

const to = (method: OperationRequest["method"], path: string, json?: unknown): OperationRequest => ({
  ...{ method, origin, path, label: `${method} ${path.split("/", 2).join("/")}`, json },
  credential: NO_CREDENTIAL,
});

const define = (own: Pick<Operation<Input>, "name" | "idempotent"> & Partial<Operation<Input>>) =>
  defineOperationsOf<Facts>()<Input>({
    service: "nexus",
    effect: "write",
    title: own.name,
    description: "",
    input,
    // Few targets, so that writes have to wait for each other.
    target: (value) => `${own.name} ${Number(value.name.split("-").at(-1)) % 6}`,
    request: (value) => to("POST", `/${own.name}`, value),
    output: ({ body }) => body,
    ...own,
  });

const operations = [
  define({ name: "nexus.chaos.create", idempotent: false }),
  define({ name: "nexus.chaos.tag", idempotent: true }),
  define({
    name: "nexus.chaos.send",
    idempotent: false,
    readBack: async (value, _facts, read) => {
      const { body } = await read(to("GET", `/effects/${value.name}`));
      return body === true ? { kind: "done", output: "read back" } : { kind: "not_found" };
    },
  }),
] as unknown as Operation[]; // the type of the input is known at run time only, as in the real catalogue

const http = createHttpClient({
  ...{ service: "chaos", origin, clock: systemClock, timeoutMs: TIMEOUT_MS, maxBytes: 10_000 },
  userAgent: "chaos",
});
const exchange = async (
  _service: string,
  request: OperationRequest,
  signal: AbortSignal,
): Promise<OperationAnswer> => {
  const { method, path, label, json } = request;
  const response = await http.request({ method, path, label, json, signal, once: true });
  return { status: response.status, headers: response.headers, body: response.json() };
};
const sender: OperationSender = { read: exchange, writeOnce: exchange };
const facts: Facts = { origin };

if (name !== "") await once(process.stdin, "data");
const store = await openStore({ dataDir, clock: systemClock });
const policy = createPolicy({ approvals: { ttl: 0, policy: { "nexus.chaos.tag": "auto" } } });
const common = {
  ...{ store, sender, clock: systemClock, random: Math.random },
  steady: createSteadyClock(systemClock),
  catalogue: {
    get: (wanted: string) => operations.find((one) => one.name === wanted),
    near: () => [],
    refresh: async () => {},
  },
  policy: () => policy,
  accounts: oneAccount,
  facts: async () => facts,
};
const log = {
  info: () => {},
  warn: () => {},
  error: (line: unknown, text?: string) => writeSync(2, `${text}: ${inspect(line)}\n`),
};
const executor = createExecutor({ ...common, changesOf: () => KEEPS_NOTHING.changes, log });
const scanText = async () => {};
const writes = createWrites({
  ...common,
  scanText,
  verifier: createVerifier(() => undefined),
  limits: limitsOf,
  ttlMs: () => 3_600_000,
  onApproved: executor.wake,
});
await executor.start();

for (let n = 0; name !== ""; n++) {
  const { name: operation } = operations[n % operations.length] ?? {};
  const write = `${name}-${n}`;
  const proposal = { operation: operation ?? "", input: { name: write }, idempotencyKey: write };
  const { write: proposed } = await writes.propose(proposal, { via: "agent.sock", user: null });
  if (proposed.state === "proposed")
    await writes.approve(proposed.id, proposed.digest, { via: "operator.sock", user: null });
  writeSync(1, `approved ${write}\n`);
}

for (;;) {
  const { approved, executing } = await writes.counts();
  if (approved + executing === 0) break;
  await systemClock.sleep(50);
}
await executor.stop(1000);
await store.close();
process.exit(0);
