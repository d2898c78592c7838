// Nex's work after a write: followed until it ends, over failures and restarts, and reported once.

import { expect, it, onTestFinished } from "vitest";
import nexFollow from "../../jobs/nex-follow.ts";
import { systemClock } from "../../sandbox/clock.ts";
import { type NexOptions, startNex } from "../../sandbox/nex.ts";
import { systemClock as wallClock } from "../../src/core/clock.ts";
import { catalogue } from "../../src/services/catalogue.ts";
import { fieldsOf } from "../../src/services/input.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { createBench } from "../services/operations/support.ts";
import { temporaryDirectory } from "../support/store.ts";
import { approval, NEXUSD, propose, t } from "../support/stored-write.ts";
import { type JobHarness, runJob } from "./harness.ts";

const MINUTE = 60_000;
const TEXT = { content: "Had a call with Mary Major of Acme." };

async function setUp(options: Partial<NexOptions> = {}) {
  const serverClock = systemClock();
  const nex = await startNex({ apiKey: "sk-test", clock: serverClock, ...options });
  onTestFinished(nex.close);
  const bench = createBench({ nex: nex.url, nexApiKey: "sk-test" });
  const dataDir = temporaryDirectory();
  return {
    ...{ nex, serverClock },
    /** A write after its execution: the real answer of the service in its result. */
    async written(operation: string, input: object, output?: unknown, at = Date.now()) {
      const result = { output: output ?? (await bench.run(operation, input)) };
      const store = await openStore({ dataDir, clock: wallClock });
      const { id } = await propose(store, {
        operation,
        service: "nex",
        expiresAt: "9999-01-01T00:00:00.000Z",
      });
      await store.transitionWrite(approval(id));
      await store.claimNextWrite(NEXUSD, t(2));
      const finishedAt = new Date(at).toISOString();
      const done = { from: "executing", to: "succeeded", patch: { result, finishedAt } } as const;
      await store.transitionWrite({ id, ...done, actor: NEXUSD, at: finishedAt, detail: {} });
      await store.close();
      return { id, output: fieldsOf(result.output) };
    },
    start: (clock?: JobHarness["clock"]) =>
      runJob(
        nexFollow,
        `[nex]\nbase_url = "${nex.url}"\napi_key = { source = "env", id = "X" }\n[nexus]\nenabled = false\n`,
        { dataDir, ...(clock && { clock }) },
      ),
    asked: () => nex.requests.filter(({ method, path }) => method === "GET" && path.includes("/context/")),
  };
}

const told = async (job: JobHarness) =>
  (await job.events("nex.context.*")).map(({ type, data }) => [
    type.replace("nexusd.nex.context.", ""),
    data,
  ]);
const ended = async (job: JobHarness) =>
  (await told(job)).filter(([type]) => type === "completed" || type === "failed");

it.each(["openapi", "skill"] as const)(
  "a text ends as one event with its findings, in either documented shape (%s)",
  async (contextShape) => {
    const { written, start, serverClock, asked } = await setUp({ contextShape });
    const { id, output } = await written("nex.context.add_text", TEXT);
    const job = await start();
    await job.advanceUntil(async () => (await told(job)).length === 1, "pending");
    serverClock.advance(1500);
    await job.advanceUntil(async () => (await told(job)).length === 2, "processing");
    serverClock.advance(1500);
    await job.advanceUntil(async () => (await ended(job)).length === 1, "the end");
    const about = { writeId: id, operation: "nex.context.add_text", artifactId: output.artifactId };
    expect(await told(job)).toEqual([
      ["progressed", { ...about, status: "pending" }],
      ["progressed", { ...about, status: "processing" }],
      ["completed", { ...about, result: expect.objectContaining({ entities_created: 1 }) }],
    ]);
    const before = asked().length;
    await job.advance(MINUTE, 5000);
    expect([asked().length, (await told(job)).length]).toEqual([before, 3]);
    expect(job.job().state).toBe("ok");
  },
);

it.each(["openapi", "skill"] as const)(
  "a list ends as one event with its entries (%s)",
  async (contextShape) => {
    const { written, start } = await setUp({ contextShape, processingMs: 0 });
    const { id, output } = await written("nex.context.list_jobs", { query: "people like jane" });
    const job = await start();
    await job.advanceUntil(async () => (await ended(job)).length === 1, "the end");
    expect(await told(job)).toMatchObject([
      ["completed", { writeId: id, jobId: output.jobId, result: { count: 0, entities: [] } }],
    ]);
  },
);

it("Nex is asked every 2 to 5 s, and not at all while nothing is followed", async () => {
  const { written, start, asked } = await setUp({ processingMs: 10 * MINUTE });
  const job = await start();
  await job.advance(60 * MINUTE, MINUTE);
  expect([asked(), job.job().state]).toEqual([[], "ok"]);
  await job.kill();
  await written("nex.context.add_text", TEXT, undefined, job.clock.now());
  const again = await start(job.clock);
  await again.advanceUntil(() => asked().length > 0, "the first look");
  const before = asked().length;
  await again.advance(MINUTE, 500);
  expect(asked().length - before).toBeGreaterThanOrEqual(12);
  expect(asked().length - before).toBeLessThanOrEqual(30);
});

it("concurrent operations do not wait for a slow one, and one's failure does not affect the others", async () => {
  const { nex, written, start } = await setUp({ processingMs: 0 });
  const first = await written("nex.context.add_text", TEXT);
  const second = await written("nex.context.list_jobs", { query: "x" });
  nex.addFault({ kind: "status", status: 503, match: "/artifacts", times: 3 });
  const job = await start();
  await job.advanceUntil(async () => (await ended(job)).length === 1, "the list");
  expect((await ended(job))[0]?.[1].writeId).toBe(second.id);
  await job.advanceUntil(async () => (await ended(job)).length === 2, "the text", { stepMs: 2000 });
  expect((await ended(job))[1]?.[1].writeId).toBe(first.id);
});

it("after a restart the work is followed again, and nothing is reported twice", async () => {
  const { written, start, serverClock } = await setUp();
  const { id } = await written("nex.context.add_text", TEXT);
  const first = await start();
  await first.advanceUntil(async () => (await told(first)).length === 1, "pending");
  await first.kill();
  serverClock.advance(MINUTE);
  const second = await start(first.clock);
  await second.advanceUntil(async () => (await ended(second)).length === 1, "the end");
  await second.kill();
  const third = await start(second.clock);
  await third.advance(MINUTE, 5000);
  expect((await told(third)).map(([type, data]) => [type, data.writeId])).toEqual([
    ["progressed", id],
    ["completed", id],
  ]);
});

it("a failure at Nex, an unknown text and a text that never ends are reported as failed", async () => {
  const { nex, written, start } = await setUp({ processingMs: 1000 * MINUTE });
  const endless = await written("nex.context.add_text", TEXT);
  nex.setProcessing({ ms: 0, error: "the model is away" });
  const failed = await written("nex.context.list_jobs", { query: "x" });
  const unknown = await written("nex.context.add_text", TEXT, { artifactId: "12345" });
  await written("nex.notes.create", { title: "none of these" });
  const job = await start();
  await job.advanceUntil(async () => (await ended(job)).length === 3, "the end of all", {
    ...{ stepMs: 20_000, limitMs: 60 * MINUTE },
  });
  const errors = Object.fromEntries((await ended(job)).map(([, data]) => [data.writeId, data.error]));
  expect(errors).toEqual({
    [failed.id]: "the model is away",
    [unknown.id]: expect.stringContaining("404"),
    [endless.id]: expect.stringContaining("30 min"),
  });
});

it("an outage of Nex does not end the following, however long it lasts", async () => {
  const { nex, written, start } = await setUp({ processingMs: 0 });
  await written("nex.context.add_text", TEXT);
  nex.addFault({ kind: "status", status: 503, match: "/artifacts", times: -1 });
  const job = await start();
  await job.advance(60 * MINUTE, MINUTE);
  expect([await ended(job), job.job().state]).toEqual([[], "failing"]);
  nex.clearFaults();
  await job.advanceUntil(async () => (await ended(job)).length === 1, "the end", { stepMs: 20_000 });
  expect((await ended(job))[0]?.[0]).toBe("completed");
});

it("exactly the operations whose output names something to follow are followed", () => {
  const names = catalogue.all().filter(({ output, effect }) => {
    if (effect !== "write") return false;
    try {
      const given = { status: 200, headers: {}, body: { artifact_id: "1", job_id: "1" } };
      return Object.keys(fieldsOf(output(given, {}))).some((key) => key === "artifactId" || key === "jobId");
    } catch {
      return false;
    }
  });
  expect(names.map(({ name }) => name)).toEqual(["nex.context.add_text", "nex.context.list_jobs"]);
});
