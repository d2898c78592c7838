// The client against a real daemon that is killed under it.

import { expect, it, onTestFinished } from "vitest";
import { createClient, isNexusdError } from "../../src/client/index.ts";
import { readLog, until } from "../support/daemon.ts";
import { startAll } from "./harness.ts";

it("events arrive once each, in order, over SIGKILLs of the daemon, with their data typed by event type", async () => {
  const { nexusd, installation, post, start, kill } = await startAll();
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const texts: (string | undefined)[] = [];
  const sequences: string[] = [];
  const following = (async () => {
    for await (const event of nexusd.events({ signal: stop.signal, waitForDaemon: true })) {
      if (event.type === "nexusd.log.gap" || event.type === "nexusd.log.replaced")
        throw new Error("nothing is missing");
      sequences.push(event.sequence);
      if (event.type === "nexusd.messaging.message.received") texts.push(event.data.text);
    }
  })();

  for (let round = 0; round < 4; round++) {
    post(`${round}: while it is away`);
    await start();
    for (let n = 0; n < 20; n++) post(`${round}: ${n}`);
    await until(() => texts.length > round * 21, "a message of this round");
    await kill();
  }
  await start();
  await until(
    () => texts.length >= 84,
    () => `84 messages, there are ${texts.length}`,
  );
  const log = await readLog(installation.agentSocket);
  await until(() => sequences.length >= log.length, "the end of the log");
  stop.abort();
  await following;
  expect(sequences.slice(0, log.length)).toEqual(log.map(({ sequence }) => sequence));
  expect(new Set(texts).size).toBe(84);
});

it("a consumer is processed over SIGKILLs: acknowledged events never come again, the others always do", async () => {
  const { nexusd, post, start, kill } = await startAll();
  await start();
  await nexusd.consumers.create("worker", { from: "oldest", types: ["messaging.message.received"] });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const done: string[] = [];
  const handed: string[] = [];
  const working = nexusd.consumers.process(
    "worker",
    async (event) => {
      handed.push(event.sequence);
      await Promise.resolve();
      done.push(event.sequence);
    },
    { signal: stop.signal },
  );
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 10; n++) post(`${round}: ${n}`);
    await until(() => done.length > round * 10, "an event of this round");
    await kill();
    await start();
  }
  await until(
    () => new Set(done).size >= 30,
    () => `30 events, there are ${new Set(done).size}`,
  );
  const position = async () => (await nexusd.consumers.get("worker"))?.position;
  await until(async () => (await position()) === Number(handed.at(-1)), "the last acknowledgement");
  stop.abort();
  await working;
  // An acknowledgement cut off by the kill is sent again, not its event.
  expect(done).toEqual([...new Set(done)].sort((a, b) => Number(a) - Number(b)));
  expect(handed).toEqual(done);
});

it("an event whose handler throws stays unacknowledged", async () => {
  const { nexusd, post, start } = await startAll();
  await start();
  await nexusd.consumers.create("worker", { from: "oldest", types: ["messaging.message.received"] });
  post("one");
  await expect(
    nexusd.consumers.process("worker", () => {
      throw new Error("cannot");
    }),
  ).rejects.toThrow("cannot");
  const { events } = await nexusd.consumers.read("worker");
  expect(events).toMatchObject([{ type: "nexusd.messaging.message.received", data: { text: "one" } }]);
});

it("a proposal is made once and followed to its end, across a restart of the daemon", async () => {
  const { nexusd, start, kill } = await startAll();
  await start();
  // The daemon is away at first: the proposal is sent again, with the same key.
  await kill();
  const proposing = nexusd.propose(
    { operation: "messaging.sessions.create", input: { alias: "new" }, reason: "to talk" },
    { patienceMs: 60_000 },
  );
  await start();
  const { id, state } = await proposing;
  expect(state).toBe("proposed");
  const states: string[] = [];
  const settled = nexusd.waitUntilFinal(id, { onProgress: (write) => states.push(write.state) });
  await until(() => states.length > 0, "the first state");
  await kill();
  await start();
  const { writes } = await nexusd.writes.list();
  expect(writes.map((write) => write.id)).toEqual([id]);
  await nexusd.writes.approve(id, { digest: writes[0]?.digest ?? "", note: "yes" });
  const write = await settled;
  expect([write.state, write.note]).toEqual(["succeeded", "yes"]);
  expect(states[0]).toBe("proposed");
});

it("every refusal is a typed error", async () => {
  const { nexusd, start, kill } = await startAll();
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => "none",
      (error: unknown) => (isNexusdError(error) ? error.code : error),
    );
  const first = async () => await nexusd.events({ after: 10_000 }).next();
  expect(await codeOf(nexusd.health())).toBe("no_daemon");
  expect(await codeOf(first())).toBe("no_daemon");
  await start();
  expect(await codeOf(first())).toBe("cursor_ahead");
  expect(await codeOf(nexusd.readEvents({ epoch: "another" }))).toBe("epoch_changed");
  expect(await codeOf(nexusd.consumers.ack("none", 1))).toBe("consumer_not_found");
  expect(await codeOf(nexusd.read("messaging.none.get"))).toBe("operation_not_found");
  expect(await codeOf(nexusd.propose({ operation: "messaging.sessions.list" }))).not.toBe("none");
  expect(await codeOf(nexusd.jobs.pause("retention", { role: "agent" }))).toBe("operator_only");
  const refused = await nexusd.readEvents({ types: ["nexus.stok.low"] }).catch((error: unknown) => error);
  expect(isNexusdError(refused, "invalid_request") && refused.problem.errors).toMatchObject([
    { path: "type[0]", message: expect.stringContaining("nexusd.nexus.stock.low") },
  ]);
  // A kept-alive connection that has died since does not fail the next call.
  await nexusd.health();
  await kill();
  await start();
  expect(await codeOf(nexusd.health())).toBe("none");
});

it("a patient client waits for the daemon, and one whose time is up reports that it is away", async () => {
  const { installation, start } = await startAll();
  const patient = createClient({ ...installation, patienceMs: 60_000 });
  const hasty = createClient({ ...installation, patienceMs: 300 });
  onTestFinished(patient.close);
  onTestFinished(hasty.close);
  const waiting = patient.status();
  await expect(hasty.status()).rejects.toMatchObject({ code: "no_daemon" });
  await start();
  expect((await waiting).log.latest).toBeGreaterThan(0);
});

it("a bound object can be changed only with its token, and its consumer is gone once deleted", async () => {
  const { nexusd, start } = await startAll();
  await start();
  const { token } = await nexusd.consumers.create("mine", { bind: true });
  expect(token).toBeTypeOf("string");
  const refused = await nexusd.consumers.ack("mine", 1).catch((error: unknown) => error);
  expect(isNexusdError(refused, "token_required")).toBe(true);
  expect(await nexusd.consumers.ack("mine", 1, { token })).toMatchObject({ name: "mine" });
  await nexusd.consumers.delete("mine", { token });
  expect(await nexusd.consumers.get("mine")).toBeUndefined();
});

it("the views, the catalogue and a read return their declared types", async () => {
  const { nexusd, post, start } = await startAll();
  await start();
  post("hello");
  await until(async () => (await nexusd.sessions()).sessions.length > 0, "the session");
  await until(async () => (await nexusd.messages("shop")).messages.length > 0, "the message");
  expect((await nexusd.sessions()).sessions).toMatchObject([{ alias: "shop", state: "joined" }]);
  expect(await nexusd.lowStock()).toMatchObject({ items: [] });
  expect((await nexusd.operations({ effect: "read" })).every(({ effect }) => effect === "read")).toBe(true);
  const { output, meta } = await nexusd.read("messaging.sessions.get", { session: "shop" });
  expect([typeof output, meta.service]).toEqual(["object", "messaging"]);
  expect((await nexusd.status()).services.nexus?.state).toBe("disabled");
  const page = await nexusd.audit.rows();
  expect((await nexusd.audit.verify()).ok).toBe(true);
  expect(page.rows).toBeInstanceOf(Array);
  expect(await nexusd.reload()).toEqual({ applied: [], restartNeeded: [] });
});
