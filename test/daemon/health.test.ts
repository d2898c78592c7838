import { describe, expect, it } from "vitest";
import type { ServiceStatus } from "../../src/contract/api/status.ts";
import { createTransitions, serviceStatus } from "../../src/daemon/health.ts";
import { changedPaths } from "../../src/daemon/reload.ts";
import type { JobState, JobStatus } from "../../src/scheduler/job.ts";

const job = (state: JobState, lastSuccessAt: string | null, over: Partial<JobStatus> = {}): JobStatus => ({
  name: "a-job",
  kind: "cron",
  description: "",
  service: "nexus",
  state,
  schedule: null,
  intervalMs: 1000,
  running: false,
  node: null,
  lastRunAt: null,
  lastSuccessAt,
  nextRunAt: null,
  lastError: null,
  failures: 0,
  runs: 0,
  ...over,
});
const T1 = "2026-11-20T10:00:00.000Z";
const T2 = "2026-11-20T11:00:00.000Z";
const state = (jobs: JobStatus[], isEnabled = true) => serviceStatus("nexus", isEnabled, jobs, {}).state;

describe("the state of a service", () => {
  it("is ok only if every one of its jobs succeeded recently", () => {
    expect(state([job("ok", T1), job("ok", T2)])).toBe("ok");
    for (const bad of ["failing", "stale", "degraded", "invalid"] as const)
      expect(state([job("ok", T1), job(bad, T2)])).toBe("degraded");
  });

  it("is not ok before a success, and down if something failed without one", () => {
    expect(state([job("starting", null)])).toBe("degraded");
    expect(state([job("failing", null), job("starting", null)])).toBe("down");
  });

  it("is not ok while an operator has paused one of its jobs, which it names", () => {
    const paused = job("paused", T1, { name: "messaging-poll" });
    expect(serviceStatus("nexus", true, [job("ok", T2), paused], {})).toMatchObject({
      state: "degraded",
      paused: ["messaging-poll"],
    });
  });

  it("is disabled if the configuration says so, whatever its jobs say", () => {
    expect(state([job("disabled", null)], false)).toBe("disabled");
  });

  it("shows the newest success and the newest error of its jobs", () => {
    const lastError = (at: string) => ({ code: "x", message: at, at });
    const jobs = [job("ok", T1, { lastError: lastError(T2) }), job("ok", T2, { lastError: lastError(T1) })];
    expect(serviceStatus("nexus", true, jobs, {})).toMatchObject({
      lastSuccessAt: T2,
      lastError: { at: T2 },
    });
  });

  it("jobs of other services do not count", () => {
    expect(state([job("ok", T1), job("failing", null, { service: "nex" })])).toBe("ok");
  });
});

describe("changes of state", () => {
  const all = (nexus: Partial<ServiceStatus>) => {
    const disabled: ServiceStatus = { state: "disabled", lastSuccessAt: null, lastError: null };
    return { messaging: disabled, nex: disabled, nexus: { ...disabled, ...nexus } };
  };

  it("are reported once each way, and starting is neither", () => {
    const look = createTransitions();
    const tell = (status: Partial<ServiceStatus>) => look(all(status)).map(({ isRecovered }) => isRecovered);
    expect(tell({ state: "degraded", lastSuccessAt: null })).toEqual([]);
    expect(tell({ state: "ok", lastSuccessAt: T1 })).toEqual([]);
    expect(tell({ state: "degraded", lastSuccessAt: T1 })).toEqual([false]);
    expect(tell({ state: "degraded", lastSuccessAt: T1 })).toEqual([]);
    const well = () => tell({ state: "ok", lastSuccessAt: T2 });
    expect(Array.from({ length: 10 }, well).flat()).toEqual([true]);
    expect(tell({ state: "down", lastSuccessAt: null })).toEqual([false]);
  });

  it("back and forth are reported once, until the service stays well for ten checks", () => {
    const look = createTransitions();
    const tell = (state: "ok" | "degraded") => look(all({ state, lastSuccessAt: T1 })).length;
    const looks = Array.from({ length: 60 }, (_, n) => tell(n % 9 === 0 ? "degraded" : "ok"));
    expect(looks.reduce((sum, count) => sum + count, 0)).toBe(1);
  });
});

describe("the changes of a reload", () => {
  it("are named by their TOML paths, with lists as a whole", () => {
    const before = { daemon: { log_level: "info" }, messaging: { sessions: [{ id: "a" }] } };
    const after = {
      daemon: { log_level: "debug" },
      messaging: { sessions: [{ id: "b" }] },
      nex: { enabled: false },
    };
    expect(changedPaths(before, after)).toEqual(["daemon.log_level", "messaging.sessions", "nex"]);
    expect(changedPaths(before, structuredClone(before))).toEqual([]);
  });
});
