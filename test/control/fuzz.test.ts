// 20,000 requests to every route of both sockets: none breaks the daemon, and none changes what it may not. A failed
// run prints its seed: FUZZ_SEED=<seed> sends the same requests again.

import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditRow, Write } from "../../src/contract/writes.ts";
import type { Role } from "../../src/control/context.ts";
import { send, startTestControl, type TestControl } from "../support/control.ts";
import { SEED } from "../support/fc.ts";
import { bytesOf, createFuzz, createRandom, type FuzzRequest, type Known } from "../support/fuzz.ts";
import { approval, NEXUSD, propose, rejection, t } from "../support/stored-write.ts";
import { realWritePath } from "../support/write-path.ts";

const REQUESTS: Record<Role, number> = { agent: 12_000, operator: 8_000 };
const AT_ONCE = 16;
const FAR = "9999-01-01T00:00:00.000Z";
const OPERATOR_ONLY =
  /^\/v1\/(audit|reload|jobs\/.*\/(run|pause|resume)|writes\/.*\/(approve|reject|resolve))/;

interface Described {
  parameters?: { in: string; name: string }[];
}

interface Outcome {
  status: number;
  text: string;
  type: string;
}

let control: TestControl;
let known: Known;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  control = await startTestControl({
    writePath: (store, clock) => realWritePath({ store, clock }),
    cleanup: (work) => cleanups.unshift(work),
  });
  const { get, store } = control;
  const writes: Write[] = [];
  // Far in the future, so that nothing expires while this runs.
  for (let n = 0; n < 240; n++) writes.push(await propose(store, { expiresAt: FAR }));
  const [unknown, approved, rejected] = [writes.slice(0, 30), writes.slice(30, 40), writes.slice(40, 60)];
  for (const { id } of unknown) {
    await store.transitionWrite(approval(id));
    await store.claimNextWrite(NEXUSD, t(2));
    const doubt = {
      from: "executing",
      to: "unknown",
      patch: {},
      actor: NEXUSD,
      at: t(3),
      detail: {},
    } as const;
    await store.transitionWrite({ id, ...doubt });
  }
  for (const { id } of approved) await store.transitionWrite(approval(id));
  for (const { id } of rejected) await store.transitionWrite(rejection(id, "no"));
  const { paths } = (await get("/openapi.json")).json as { paths: Record<string, Record<string, Described>> };
  known = {
    routes: Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { parameters = [] }]) => ({
        method: method.toUpperCase(),
        path,
        query: parameters.filter((one) => one.in === "query").map(({ name }) => name),
      })),
    ),
    operations: (await get("/v1/operations")).json,
    ...{ writes, unknown },
    jobs: ["nexus-low-stock"],
  };
});

afterAll(async () => {
  agent.destroy();
  for (const cleanup of cleanups) await cleanup();
});

/** @returns undefined if the connection ended without an answer */
const exchange = (role: Role, { method, path, headers, body }: FuzzRequest) =>
  new Promise<Outcome | undefined>((resolve) => {
    const outgoing = request({ socketPath: control.sockets[role], agent, method, path, headers });
    outgoing.on("error", () => resolve(undefined));
    outgoing.on("response", (response: IncomingMessage) => {
      const type = response.headers["content-type"] ?? "";
      const status = response.statusCode ?? 0;
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        // It has no end.
        if (type.startsWith("text/event-stream")) response.destroy();
      });
      response.on("error", () => {});
      response.on("close", () => resolve({ status, text, type }));
    });
    outgoing.end(body);
  });

/** @returns the statuses of all answers */
async function exchangeBytes(role: Role, bytes: Buffer): Promise<number[]> {
  const socket = connect(control.sockets[role]);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  // A cut connection is fine: the answers before it count.
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.write(bytes);
  socket.write("GET /v1/health HTTP/1.1\r\nhost: nexusd\r\nconnection: close\r\n\r\n");
  // The rest that the daemon waits for will not come.
  const impatient = setTimeout(() => socket.destroy(), 100);
  await closed;
  clearTimeout(impatient);
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map(([, status]) => Number(status));
}

const described = ({ body, ...rest }: FuzzRequest) =>
  JSON.stringify({ ...rest, body: body?.toString("latin1").slice(0, 2000) });

/** Sends them all, `AT_ONCE` at a time in order. @returns how often each route was answered with 2xx */
async function fuzz(role: Role): Promise<Map<string, number>> {
  const random = createRandom(SEED + (role === "agent" ? 0 : 1));
  const next = createFuzz(random, known);
  const requests = Array.from({ length: REQUESTS[role] }, () => {
    const wanted = next();
    return { wanted, bytes: wanted.isRaw && role === "agent" ? bytesOf(wanted, random) : undefined };
  });
  const done = new Map<string, number>();
  const met = new Set<number>();
  const unanswered: string[] = [];
  let at = 0;
  const worker = async () => {
    while (at < requests.length) {
      const n = at++;
      const { wanted, bytes } = requests[n] ?? {};
      if (!wanted) return;
      const about = `seed ${SEED}, request ${n} on ${role}.sock: ${described(wanted)}`;
      if (bytes) {
        const statuses = await exchangeBytes(role, bytes);
        expect(
          statuses.filter((status) => status >= 500),
          `${about} as ${bytes.toString("latin1")}`,
        ).toEqual([]);
        continue;
      }
      const outcome = await exchange(role, wanted);
      if (!outcome) {
        unanswered.push(about);
        continue;
      }
      const { status, text, type } = outcome;
      met.add(status);
      expect(status, `${about}: ${text}`).toBeLessThan(500);
      if (status >= 400 && text !== "")
        expect({ type, status: JSON.parse(text).status }, about).toEqual({
          type: "application/problem+json; charset=utf-8",
          status,
        });
      if (status >= 300) continue;
      if (role === "agent") expect(wanted.path, about).not.toMatch(OPERATOR_ONLY);
      const action = `${wanted.method} ${wanted.path.split("?", 1)[0]?.split("/").at(-1)} ${status}`;
      done.set(action, (done.get(action) ?? 0) + 1);
    }
  };
  const stop = (error: unknown) => {
    at = requests.length;
    throw error;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => worker().catch(stop)));
  expect(unanswered, `seed ${SEED}`).toEqual([]);
  // Neither all refused nor all accepted: otherwise it would have tested nothing.
  for (const status of [200, 202, 400, 404, 405, 409, 415]) expect(met, `seed ${SEED}`).toContain(status);
  return done;
}

const everything = async () => {
  const { store } = control;
  const rows: AuditRow[] = [];
  for (let page = await store.readAudit({ limit: 1000 }); page.length > 0; ) {
    rows.push(...page);
    page = await store.readAudit({ after: page.at(-1)?.sequence ?? 0, limit: 1000 });
  }
  const writes: Write[] = [];
  for (let page = await store.readWrites({ limit: 1000 }); page.length > 0; ) {
    writes.push(...page);
    page = await store.readWrites({ after: page.at(-1)?.id ?? "", limit: 1000 });
  }
  return { rows, writes: new Map(writes.map((write) => [write.id, write])) };
};

const count = (rows: AuditRow[], action: string) => rows.filter((row) => row.action === action).length;

const isWell = async () => {
  for (const role of ["agent", "operator"] as const)
    expect((await send(control.sockets[role], "GET", "/v1/health")).status).toBe(200);
  expect(await control.store.verifyAudit(), `seed ${SEED}`).toMatchObject({ ok: true });
  const errors = control.logged.filter(({ level }) => Number(level) >= 40);
  expect(errors, `seed ${SEED}`).toEqual([]);
};

test("nothing sent to agent.sock decides anything or crashes the daemon", async () => {
  const before = await everything();
  const done = await fuzz("agent");
  const after = await everything();
  await isWell();

  const rows = after.rows.slice(before.rows.length);
  const cancelled = new Set(
    rows.filter(({ action }) => action === "cancelled").map(({ writeId }) => writeId),
  );
  for (const [id, write] of before.writes)
    if (!cancelled.has(id)) expect(after.writes.get(id), `seed ${SEED}`).toEqual(write);
  const kinds = new Set(rows.map(({ action, actor }) => `${action} by ${actor.via}`));
  expect([...kinds].toSorted(), `seed ${SEED}`).toEqual([
    "approved by policy",
    "cancelled by agent.sock",
    "proposed by agent.sock",
  ]);
  for (const { writeId, action } of rows)
    if (action === "approved") expect(after.writes.get(writeId)?.approval, `seed ${SEED}`).toBe("auto");
  expect(cancelled.size, `seed ${SEED}`).toBeGreaterThan(0);
  expect(done.get("POST cancel 200"), `seed ${SEED}`).toBe(cancelled.size);
}, 120_000);

test("a request to operator.sock changes only what its answer says", async () => {
  const before = await everything();
  const done = await fuzz("operator");
  const after = await everything();
  await isWell();

  const rows = after.rows.slice(before.rows.length);
  for (const [answered, action] of [
    ["approve", "approved"],
    ["reject", "rejected"],
    ["cancel", "cancelled"],
    ["resolve", "resolved"],
  ] as const) {
    const decided = rows.filter((row) => row.action === action && row.actor.via === "operator.sock");
    expect(decided.length, `${action}, seed ${SEED}`).toBeGreaterThan(0);
    expect(done.get(`POST ${answered} 200`), `${action}, seed ${SEED}`).toBe(decided.length);
  }
  expect(done.get("POST writes 202"), `seed ${SEED}`).toBe(count(rows, "proposed"));
  const undecided = [...before.writes.keys()].filter((id) => !rows.some(({ writeId }) => writeId === id));
  for (const id of undecided) expect(after.writes.get(id), `seed ${SEED}`).toEqual(before.writes.get(id));
}, 120_000);
