// Health, status, jobs and reload: their answers, and who may do what.

import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { WRITE_STATES } from "../../src/contract/writes.ts";
import type { JobState } from "../../src/scheduler/job.ts";
import { cronJob, jobNotRunnable, message, okService, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

describe("health", () => {
  test("is ok if everything enabled is", async () => {
    const { get, state, store } = await startTestControl();
    state.services.nex = { ...okService, state: "disabled" };
    state.jobs = [cronJob(), cronJob({ name: "other", state: "paused" })];
    expect((await get("/v1/health")).json).toEqual({
      ...{ status: "ok", reasons: [] },
      ...{ epoch: store.epoch, version: "1.2.3" },
    });
  });

  test.each(["degraded", "down"] as const)("a service that is %s degrades it", async (service) => {
    const { get, state } = await startTestControl();
    state.services.nex = { ...okService, state: service };
    expect(await get("/v1/health")).toMatchObject({
      status: 200,
      json: { status: "degraded", reasons: [{ code: expect.any(String), detail: expect.any(String) }] },
    });
  });

  test.each(["failing", "stale", "invalid"] as JobState[])("a job that is %s degrades it", async (job) => {
    const { get, state } = await startTestControl();
    state.jobs = [cronJob(), cronJob({ name: "other", state: job })];
    expect((await get("/v1/health")).json.status).toBe("degraded");
  });

  test("a stuck or refused sink degrades it", async () => {
    const { get, state } = await startTestControl();
    state.sinkTroubles = ["the sink agent is stuck"];
    expect((await get("/v1/health")).json).toMatchObject({
      status: "degraded",
      reasons: [{ code: "sink", detail: "the sink agent is stuck" }],
    });
  });

  test("a database that accepts no commits degrades it", async () => {
    const { get, state } = await startTestControl();
    state.store = { ...state.store, state: "degraded" };
    expect((await get("/v1/health")).json.status).toBe("degraded");
  });
});

test("status reports the process, the log, the services with details, jobs, nodes, sinks, writes, the database and the sockets", async () => {
  const { append, get, sockets, state, store, writes } = await startTestControl();
  writes.add({ state: "unknown" });
  await append(message(), message());
  await store.pruneEvents({ keep: 1 });
  state.services.nex = { ...okService, stream: { state: "open" } };
  expect((await get("/v1/status", { role: "agent" })).json).toEqual({
    version: "1.2.3",
    pid: process.pid,
    startedAt: "2026-01-01T00:00:00.000Z",
    epoch: store.epoch,
    log: { oldest: 2, latest: 2 },
    services: { messaging: okService, nex: { ...okService, stream: { state: "open" } }, nexus: okService },
    jobs: [cronJob()],
    node: "test",
    nodes: [],
    sinks: [],
    writes: { ...Object.fromEntries(WRITE_STATES.map((state) => [state, 0])), unknown: 1 },
    store: { state: "ok", lastError: null },
    sockets: [
      { role: "agent", path: sockets.agent, state: "there", lastError: null },
      { role: "operator", path: sockets.operator, state: "there", lastError: null },
    ],
  });
});

describe("jobs", () => {
  test("are listed with the current time", async () => {
    const { get } = await startTestControl({ clock: createFakeClock() });
    expect((await get("/v1/jobs")).json).toEqual({ asOf: "2026-01-01T00:00:00.000Z", jobs: [cronJob()] });
  });

  test("a run is answered when it has ended, with its outcome", async () => {
    const { call, state } = await startTestControl();
    state.run = async (name) => {
      state.jobs = [cronJob({ name, runs: 1 })];
    };
    expect(await call("POST", "/v1/jobs/nexus-low-stock/run")).toMatchObject({
      status: 200,
      json: { runs: 1 },
    });
  });

  test("a run that takes long is answered after 10 s, and continues", async () => {
    const clock = createFakeClock();
    const { call, state } = await startTestControl({ clock });
    state.jobs = [cronJob({ running: true })];
    state.run = () => new Promise(() => {});
    const answer = call("POST", "/v1/jobs/nexus-low-stock/run");
    while (clock.pending() === 0) await clock.settle();
    await clock.advance(10_000);
    expect(await answer).toMatchObject({ status: 202, json: { running: true } });
  });

  test("one that cannot run is 409, an unknown one 404", async () => {
    const { call, state } = await startTestControl();
    state.run = async () => {
      throw jobNotRunnable();
    };
    const answers = {
      job_not_runnable: await call("POST", "/v1/jobs/nexus-low-stock/run"),
      job_not_found: await call("POST", "/v1/jobs/other/run"),
    };
    expect(answers.job_not_runnable.json).toMatchObject({ status: 409, code: "job_not_runnable" });
    expect(answers.job_not_found.json).toMatchObject({ status: 404, code: "job_not_found" });
    for (const action of ["pause", "resume"])
      expect((await call("POST", `/v1/jobs/other/${action}`)).json).toMatchObject({ code: "job_not_found" });
  });

  test("are paused and resumed", async () => {
    const { call } = await startTestControl();
    expect((await call("POST", "/v1/jobs/nexus-low-stock/pause")).json.state).toBe("paused");
    expect((await call("POST", "/v1/jobs/nexus-low-stock/resume", { body: {} })).json.state).toBe("starting");
  });
});

test("can be controlled only over operator.sock; agent.sock is refused before anything else is checked", async () => {
  const { call, state } = await startTestControl({
    context: {
      reload: async () => {
        throw new Error("reached");
      },
    },
  });
  state.run = async () => {
    throw new Error("reached");
  };
  for (const path of ["jobs/nexus-low-stock/run", "jobs/x/pause", "jobs/x/resume", "reload"]) {
    const answer = await call("POST", `/v1/${path}`, {
      role: "agent",
      raw: "{",
      headers: { "content-type": "application/json" },
    });
    expect(answer.json).toMatchObject({ status: 403, code: "operator_only" });
  }
});

describe("reload", () => {
  test("reports what took effect and what needs a restart", async () => {
    const { call } = await startTestControl();
    expect(await call("POST", "/v1/reload")).toMatchObject({
      status: 200,
      json: { applied: ["jobs.retention.schedule"], restartNeeded: [] },
    });
  });

  test("of a file with errors changes nothing and lists them with their positions", async () => {
    const { call } = await startTestControl({
      context: {
        reload: async () => {
          throw new ConfigError("nexusd.toml", [
            { path: "nex.timeout", value: '"x"', message: "must be a duration" },
            { path: "", line: 7, message: "is not TOML" },
          ]);
        },
      },
    });
    const { json } = await call("POST", "/v1/reload");
    expect(json).toMatchObject({
      status: 422,
      code: "invalid_config",
      errors: [
        { file: "nexusd.toml", path: "nex.timeout", message: "must be a duration" },
        { file: "nexusd.toml", line: 7, path: "", message: "is not TOML" },
      ],
    });
  });
});
