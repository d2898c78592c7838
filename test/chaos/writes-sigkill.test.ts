// 200 SIGKILLs of a process that executes writes against a service that fails in every way.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { TRANSITIONS, type Write, type WriteState } from "../../src/contract/writes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../support/open-store.ts";
import { temporaryDirectory } from "../support/store.ts";

const CHILD = fileURLToPath(new URL("./writes-child.ts", import.meta.url));
const KILLS = 200;
/** Concurrent processes, each on its own database. */
const LANES = 2;

interface Seen {
  requests: number;
  effects: number;
}

type Reply = "answered" | "refused" | "failed" | "cut" | "stalled";

/** A service that counts what arrives of each write, and mostly misbehaves. */
async function startService() {
  const seen = new Map<string, Seen>();
  let isCalm = false;

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const readBack = /^\/effects\/(.+)$/.exec(request.url ?? "")?.[1];
    if (readBack !== undefined) {
      response.end(JSON.stringify((seen.get(readBack)?.effects ?? 0) > 0));
      return;
    }
    const { name } = JSON.parse(body);
    const write = seen.get(name) ?? { requests: 0, effects: 0 };
    seen.set(name, write);
    write.requests += 1;

    const dice = isCalm ? 0 : Math.random();
    const reply: Reply =
      dice < 0.45
        ? "answered"
        : dice < 0.6
          ? "refused"
          : dice < 0.75
            ? "failed"
            : dice < 0.9
              ? "cut"
              : "stalled";
    // A refusal is certain; anything else may have been executed or not, whatever the answer says.
    if (reply === "answered" || (reply !== "refused" && Math.random() < 0.5)) write.effects += 1;
    await new Promise((resolve) => setTimeout(resolve, isCalm ? 0 : Math.random() * 15));
    switch (reply) {
      case "answered":
        return response.writeHead(201).end("{}");
      case "refused":
        return response.writeHead(409).end('{"error":"conflict"}');
      case "failed":
        return response.writeHead(500).end('{"error":"internal_error"}');
      case "cut":
        return request.socket.destroy();
      case "stalled":
        return;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    seen,
    // The server listens on a port, so its address is an object.
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calm: () => {
      isCalm = true;
    },
  };
}

type Service = Awaited<ReturnType<typeof startService>>;

const start = (compileCache: string, ...args: string[]) => {
  const child = spawn(process.execPath, [CHILD, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    // Stripping the types of the same files 200 times would take most of this test's time.
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  const state = { output: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    state.output += text;
  });
  const closed = new Promise<void>((resolve, reject) => {
    child.on("close", () => resolve()).on("error", reject);
  });
  return { child, state, closed };
};

/** Resolves once the child has printed this many lines. */
const said = (lines: number, { child, state, closed }: ReturnType<typeof start>) => {
  const isSaid = () => state.output.split("\n").length > lines;
  const heard = new Promise<void>((resolve) => {
    const check = () => isSaid() && resolve();
    child.stdout.on("data", check);
    check();
  });
  return Promise.race([heard, closed]);
};

/** Kills this many processes on one database; returns the names of the writes that were certainly approved. */
async function killAll(service: Service, cache: string, dataDir: string, lane: number): Promise<string[]> {
  const approved: string[] = [];
  const prepare = (n: number) => start(cache, dataDir, service.origin, `lane${lane}-${n}`);
  // The next one loads its modules while the previous one works.
  let next = prepare(0);
  for (let n = 0; n < KILLS / LANES; n++) {
    const current = next;
    const { child, state, closed } = current;
    if (n + 1 < KILLS / LANES) next = prepare(n + 1);
    child.stdin.write("go\n");
    // Every fifth dies while it opens the database or takes over what its predecessor left, the others after some
    // writes, so a slow machine kills at the same places.
    if (n % 5 !== 0) await said(1 + Math.floor(Math.random() * 12), current);
    await systemClock.sleep(Math.random() * 50);
    child.kill("SIGKILL");
    await closed;
    expect(child.signalCode).toBe("SIGKILL");
    approved.push(...[...state.output.matchAll(/^approved (\S+)\n/gm)].map(([, write = ""]) => write));
  }
  return approved;
}

const nameOf = (write: Write): string => JSON.parse(write.request).input.name;

test(`${KILLS} SIGKILLs lose no write, and repeat none that must be sent once`, {
  timeout: 300_000,
}, async () => {
  const service = await startService();
  const cache = temporaryDirectory();
  // A killed process leaves nothing in the cache: this one ends by itself.
  await start(cache, temporaryDirectory(), service.origin).closed;
  const lanes = Array.from({ length: LANES }, () => join(temporaryDirectory(), "data"));
  const approved = await Promise.all(lanes.map((dataDir, lane) => killAll(service, cache, dataDir, lane)));

  service.calm();
  const found: Record<string, number> = {};
  for (const [lane, dataDir] of lanes.entries()) {
    const { child, closed } = start(cache, dataDir, service.origin);
    await closed;
    expect(child.exitCode).toBe(0);

    const store = await openStore({ dataDir, clock: systemClock });
    onTestFinished(() => store.close());
    expect(await store.verifyAudit()).toMatchObject({ ok: true });
    const rows = Map.groupBy(await store.readAudit({ limit: 1_000_000 }), ({ writeId }) => writeId);
    const writes = await store.readWrites({ limit: 1_000_000 });
    const byName = new Map(writes.map((write) => [nameOf(write), write]));
    expect(byName.size).toBe(writes.length);
    for (const name of approved[lane] ?? []) expect(byName.get(name)?.state, name).not.toBe("proposed");

    for (const [name, write] of byName) {
      const { requests, effects } = service.seen.get(name) ?? { requests: 0, effects: 0 };
      const states = (rows.get(write.id) ?? []).map(({ action }) => action);
      const about = `${write.operation} ${name}: ${states.join(" → ")}, ${requests} requests, ${effects} effects`;

      for (const [index, state] of states.slice(1).entries())
        expect(TRANSITIONS[states[index] as WriteState], about).toContain(state); // nobody is shown a write here
      expect(["proposed", "succeeded", "failed", "unknown"], about).toContain(write.state);
      // The proposal and its approval by policy are one commit: none is left for a person to approve again.
      if (write.approval === "auto") expect(write.state, about).not.toBe("proposed");
      if (!write.idempotent) expect(requests, about).toBeLessThanOrEqual(1);
      if (!states.includes("executing")) expect(requests, about).toBe(0);
      if (write.state === "failed") expect(effects, about).toBe(0);
      if (write.state === "succeeded") expect(effects, about).toBeGreaterThan(0);
      expect(write.attempts, about).toBeGreaterThanOrEqual(requests);

      if (write.result?.output === "read back") found.readBack = (found.readBack ?? 0) + 1;
      const code = write.result?.error?.code === "interrupted" ? "interrupted" : write.state;
      found[code] = (found[code] ?? 0) + 1;
      if (write.idempotent && write.attempts > 1) found.repeated = (found.repeated ?? 0) + 1;
    }
  }
  // The test is meaningful only if the kills hit writes in the middle, and the service failed.
  for (const kind of ["succeeded", "failed", "unknown", "interrupted", "repeated", "readBack"])
    expect(found[kind], kind).toBeGreaterThan(5);
});
