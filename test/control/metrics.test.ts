// GET /metrics: each number is true, and no private data is in it.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { budgetFigures } from "../../src/daemon/services.ts";
import { createBudgets } from "../../src/http/budgets.ts";
import { createHistogram } from "../../src/services/counts.ts";
import { POLL_GAP_BOUNDS } from "../../src/services/messaging/client.ts";
import { INSIGHT_DELAY_BOUNDS } from "../../src/services/nex/client.ts";
import { cronJob, message, okService, recovered, startTestControl } from "../support/control.ts";
import { parseExposition, sampleOf } from "../support/exposition.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { everythingKnown, scrape, startKnown } from "../support/metrics.ts";
import { approval, NEXUSD, OPERATOR, propose, T0, t } from "../support/stored-write.ts";

describe("access to the metrics", () => {
  test("is refused on agent.sock", async () => {
    const { get } = await startTestControl();
    expect(await get("/metrics", { role: "agent" })).toMatchObject({
      status: 403,
      json: { code: "operator_only" },
    });
  });

  test("the metrics contain no text from outside: no session, agent, consumer, article, reason or error", async () => {
    const control = await startKnown();
    const { append, store, state } = control;
    const marks = [
      "MARKsession",
      "MARKalias",
      "MARKtext",
      "MARKconsumer",
      "MARKagent",
      "MARKreason",
      "MARKerror",
    ];
    await append(message("MARKsession", { alias: "MARKalias", text: "MARKtext" }));
    await append({ ...recovered(), source: "/MARKsession", subject: "MARKtext" });
    await append({ ...recovered(), type: "MARKtext.of.a.job" } as unknown as NewEvent);
    await store.putConsumer("MARKconsumer", "oldest", ["nexusd.messaging.*"]);
    await propose(store, { agent: "MARKagent", reason: "MARKreason", target: "MARKtext" });
    const lastError = { code: "MARKerror", message: "MARKerror", at: T0 };
    state.services.nexus = { ...okService, state: "degraded", lastError };
    state.jobs = [cronJob({ state: "failing", lastError })];
    const { text } = await control.get("/metrics");
    for (const mark of marks) expect(text).not.toContain(mark);
    expect(sampleOf(parseExposition(text), "nexusd_events_total", { type: "other" })).toBe(1);
  });
});

describe("the numbers", () => {
  test("a committed event counts once, under its type; a repetition does not", async () => {
    const control = await startTestControl();
    const counted = async (type: string) => sampleOf(await scrape(control), "nexusd_events_total", { type });
    expect(await counted("service.recovered")).toBe(0);
    await control.append(recovered());
    expect(await counted("service.recovered")).toBe(1);
    const dedupe = { scope: "s", match: ["a"], record: ["a"] };
    await control.append({ ...message(), dedupe }, { ...message(), dedupe });
    await control.append({ ...message(), dedupe });
    const families = await scrape(control);
    expect(sampleOf(families, "nexusd_events_total", { type: "messaging.message.received" })).toBe(1);
    expect(sampleOf(families, "nexusd_events_total", { type: "service.recovered" })).toBe(1);
    expect(sampleOf(families, "nexusd_log_latest_sequence")).toBe(2);
    await control.store.pruneEvents({ keep: 1 });
    const after = await scrape(control);
    expect(sampleOf(after, "nexusd_log_events")).toBe(1);
    expect(sampleOf(after, "nexusd_events_total", { type: "service.recovered" })).toBe(1);
  });

  test("a write counts in its state, and the oldest age is the time spent in that state", async () => {
    const clock = createFakeClock(Date.parse(T0));
    const control = await startTestControl({ clock });
    const { store } = control;
    const seen = async (state: string) => {
      const families = await scrape(control);
      return [
        sampleOf(families, "nexusd_writes", { state }),
        sampleOf(families, "nexusd_write_oldest_age_seconds", { state }),
      ];
    };
    expect(await seen("proposed")).toEqual([0, 0]);
    const first = await propose(store, { target: "a" });
    await propose(store, { proposedAt: t(20), target: "b" });
    await clock.advance(60_000);
    expect(await seen("proposed")).toEqual([2, 60]);

    await store.transitionWrite(approval(first.id, t(30)));
    expect(await seen("proposed")).toEqual([1, 40]);
    expect(await seen("approved")).toEqual([1, 30]);
    await store.claimNextWrite(NEXUSD, t(45));
    expect(await seen("approved")).toEqual([0, 0]);
    expect(await seen("executing")).toEqual([1, 15]);
    const doubt = { from: "executing", to: "unknown", patch: { finishedAt: t(50) } } as const;
    await store.transitionWrite({ id: first.id, ...doubt, actor: NEXUSD, at: t(50), detail: {} });
    expect(await seen("unknown")).toEqual([1, 10]);
    const settled = { from: "unknown", to: "resolved", patch: { outcome: "failed" } } as const;
    await store.transitionWrite({ id: first.id, ...settled, actor: OPERATOR, at: t(60), detail: {} });
    expect(await seen("unknown")).toEqual([0, 0]);
  });

  test("the lag is that of the consumer furthest behind with events that it wants", async () => {
    const clock = createFakeClock(Date.parse(T0));
    const control = await startTestControl({ clock });
    const { store, append } = control;
    const lag = async () => {
      const families = await scrape(control);
      return ["nexusd_consumers", "nexusd_consumer_lag_events", "nexusd_consumer_lag_seconds"].map((name) =>
        sampleOf(families, name),
      );
    };
    await append(recovered(), recovered());
    await store.putConsumer("messages", "oldest", ["messaging.*"]);
    expect(await lag()).toEqual([1, 0, 0]);
    await clock.advance(5000);
    await append(message(), recovered());
    await clock.advance(7000);
    expect(await lag()).toEqual([1, 2, 7]);
    await store.putConsumer("everything", "oldest");
    expect(await lag()).toEqual([2, 4, 12]);
    // One that is further behind may wait for something newer.
    await store.putConsumer("everything", 1);
    expect(await lag()).toEqual([2, 3, 12]);
    await store.ackConsumer("everything", 4);
    expect(await lag()).toEqual([2, 2, 7]);
    await store.ackConsumer("messages", 3);
    expect(await lag()).toEqual([2, 0, 0]);
    // What retention removed unread does not count as lag.
    await store.putConsumer("everything", "oldest");
    await store.pruneEvents({ keep: 1 });
    expect(await lag()).toEqual([2, 1, 7]);
  });

  test("a spent budget, its waiting requests and its pause", async () => {
    const clock = createFakeClock(Date.parse(T0));
    const budgets = createBudgets({ clock });
    const server = "https://messaging.test";
    const budget = budgets.of(server, { limit: 3, reserve: 1 }, "messaging");
    const measured = { ...everythingKnown(clock), budgets: () => budgetFigures(budgets) };
    const control = await startTestControl({ clock, context: { measured } });
    const seen = async () => {
      const families = await scrape(control);
      return [
        "limit_requests",
        "reserve_requests",
        "used_requests",
        "waiting_requests",
        "cooldown_seconds",
      ].map((name) => sampleOf(families, `nexusd_budget_${name}`, { service: "messaging", server }));
    };
    expect(await seen()).toEqual([3, 1, 0, 0, 0]);
    const leases = [budget.tryAcquire("watches"), budget.tryAcquire("watches")];
    const stop = new AbortController();
    const waiting = budget.acquire({ priority: "watches", signal: stop.signal });
    expect(await seen()).toEqual([3, 1, 2, 1, 0]);
    budget.cooldownUntil(clock.monotonic() + 90_000);
    for (const lease of leases) lease?.done();
    await clock.advance(30_000);
    expect(await seen()).toEqual([3, 1, 2, 1, 60]);
    await clock.advance(31_000);
    expect(await seen()).toEqual([3, 1, 0, 1, 29]);
    stop.abort();
    await expect(waiting).rejects.toThrow();
  });

  test("services, jobs, stream, quota and sessions in their known state", async () => {
    const { clock, ...control } = await startKnown();
    const families = await scrape({ ...control, clock });
    const value = (name: string, labels?: Record<string, string>) =>
      sampleOf(families, `nexusd_${name}`, labels);
    const states = (name: string, labels: Record<string, string> = {}) =>
      families
        .get(`nexusd_${name}`)
        ?.series.filter((one) => Object.entries(labels).every(([k, v]) => one.labels[k] === v))
        .filter((one) => one.value === 1)
        .map((one) => one.labels.state);
    expect(states("service_state", { service: "messaging" })).toEqual(["degraded"]);
    expect(states("service_state", { service: "nex" })).toEqual(["ok"]);
    expect(value("service_last_success_timestamp_seconds", { service: "messaging" })).toBe(
      Date.parse(T0) / 1000 - 9,
    );
    expect(value("service_last_success_timestamp_seconds", { service: "nex" })).toBeUndefined();
    expect(states("nex_stream_state")).toEqual(["polling"]);
    expect(value("nex_covered_until_timestamp_seconds")).toBe(Date.parse(T0) / 1000);

    const job = { name: "nexus-low-stock", service: "nexus" };
    expect(states("job_state", job)).toEqual(["failing"]);
    expect(states("job_state", { name: "retention", service: "none" })).toEqual(["ok"]);
    expect(value("job_runs_total", { ...job, outcome: "succeeded" })).toBe(5);
    expect(value("job_runs_total", { ...job, outcome: "failed" })).toBe(2);
    expect(value("job_consecutive_failures", job)).toBe(2);
    expect(value("job_last_success_timestamp_seconds", job)).toBe(Date.parse(T0) / 1000 - 60);
    expect(value("job_interval_seconds", job)).toBe(300);
    expect(value("job_interval_seconds", { name: "retention" })).toBeUndefined();
    expect(value("job_overdue_seconds", job)).toBe(7);
    expect(value("job_overdue_seconds", { name: "retention" })).toBe(0);

    expect(["limit", "used", "remaining"].map((name) => value(`nexus_quota_${name}_calls`))).toEqual([
      1000, 400, 600,
    ]);
    expect(value("nexus_quota_slowed")).toBe(1);
    expect(value("messaging_sessions", { state: "joined" })).toBe(3);
    expect(value("messaging_sessions", { state: "left" })).toBe(1);
    // The one that was joined and never polled.
    expect(value("messaging_poll_age_max_seconds")).toBe(50);
    expect(value("build_info", { version: "1.2.3", node_version: process.versions.node })).toBe(1);
    expect(sampleOf(families, "process_resident_memory_bytes")).toBeGreaterThan(1e7);
    expect(sampleOf(families, "process_start_time_seconds")).toBeCloseTo(performance.timeOrigin / 1000, 0);
  });

  test("an unknown value has no sample: it is not 0", async () => {
    const { get } = await startTestControl();
    const families = parseExposition((await get("/metrics")).text);
    for (const name of [
      "nexusd_nexus_quota_limit_calls",
      "nexusd_nexus_quota_remaining_calls",
      "nexusd_nexus_quota_slowed",
      "nexusd_nex_stream_state",
      "nexusd_nex_covered_until_timestamp_seconds",
      "nexusd_job_last_success_timestamp_seconds",
    ])
      expect(families.get(name)?.series, name).toEqual([]);
  });

  test("delays are counted in buckets, and requests by outcome", async () => {
    const pollGaps = createHistogram(POLL_GAP_BOUNDS);
    const measured = everythingKnown(createFakeClock(), {
      pollGaps,
      insightDelays: createHistogram(INSIGHT_DELAY_BOUNDS),
    });
    const control = await startTestControl({ context: { measured } });
    const { counts } = measured;
    for (const seconds of [0.5, 1, 1.5, 1000, -3, Number.NaN]) pollGaps.observe(seconds);
    counts.requests.nex.timeout = 4;
    const families = await scrape(control);
    const name = "nexusd_messaging_poll_gap_seconds";
    const bucket = (le: string) => sampleOf(families, `${name}_bucket`, { le });
    expect([bucket("1"), bucket("2"), bucket("600"), bucket("+Inf")]).toEqual([3, 4, 4, 5]);
    expect([sampleOf(families, `${name}_count`), sampleOf(families, `${name}_sum`)]).toEqual([5, 1003]);
    expect(sampleOf(families, "nexusd_http_requests_total", { service: "nex", outcome: "timeout" })).toBe(4);
  });

  test("the database size is the size of its files on disk", async () => {
    const control = await startTestControl();
    const { append, directory } = control;
    await append(...Array.from({ length: 500 }, () => message()));
    const families = await scrape(control);
    for (const [file, name] of [
      ["database", "nexusd.db"],
      ["wal", "nexusd.db-wal"],
    ] as const)
      expect(sampleOf(families, "nexusd_database_size_bytes", { file })).toBe(
        readFileSync(join(directory, name)).length,
      );
  });
});

describe("a scrape", () => {
  test("is complete and consistent, whatever is scraped or committed at the same time", async () => {
    const control = await startKnown();
    const { get, append } = control;
    const scrapes = Array.from({ length: 30 }, async (_, index) => {
      await append(recovered());
      const isOpen = index % 3 === 0;
      const { text } = await get("/metrics", {
        headers: { accept: isOpen ? "application/openmetrics-text; version=1.0.0" : "text/plain" },
      });
      return isOpen ? undefined : parseExposition(text);
    });
    const whole = (await Promise.all(scrapes)).filter((families) => families !== undefined);
    for (const families of whole) {
      const events = sampleOf(families, "nexusd_events_total", { type: "service.recovered" });
      // All of them from the same moment of the store.
      expect(events).toBe(sampleOf(families, "nexusd_log_latest_sequence"));
      expect(families.get("nexusd_service_state")?.series.length).toBe(12);
      expect(sampleOf(families, "nexusd_job_runs_total", { outcome: "succeeded" })).toBe(5);
    }
    expect(sampleOf(await scrape(control), "nexusd_events_total", { type: "service.recovered" })).toBe(30);
  });

  test("returns OpenMetrics on request", async () => {
    const { get } = await startKnown();
    const accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
    const { text, headers } = await get("/metrics", { headers: { accept } });
    expect(headers["content-type"]).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    expect(text).toMatch(/\n# EOF\n$/);
    expect(text).toContain("# TYPE nexusd_events counter\n");
    expect(text).toContain('nexusd_events_total{type="service.recovered"} 0\n');
    expect(text).not.toMatch(/\n\n|_total_total/);
  });

  test("works without the database if that cannot be read", async () => {
    const control = await startTestControl();
    await control.store.close();
    control.state.store = { state: "degraded", lastError: null };
    const families = await scrape(control);
    expect(sampleOf(families, "nexusd_database_writable")).toBe(0);
    expect(families.get("nexusd_events_total")?.series).toEqual([]);
    expect(families.get("nexusd_writes")?.series).toEqual([]);
    expect(sampleOf(families, "nexusd_service_state", { service: "nex", state: "ok" })).toBe(1);
  });

  test("loads its modules when first requested, and not before", () => {
    const script = `
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load(url, context, next) { if (/control.metrics.(expo|text)/.test(url)) loaded.push(url); return next(url, context); } });
      await import("./src/daemon/daemon.ts");
      const { scrapeNow } = await import("./src/control/metrics.ts");
      const before = loaded.length;
      await scrapeNow({ store: {} }).catch(() => {});
      console.log(JSON.stringify({ before, after: loaded.some((url) => url.includes("metrics/text")) }));
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
    });
    expect(JSON.parse(output)).toEqual({ before: 0, after: true });
  });
});
