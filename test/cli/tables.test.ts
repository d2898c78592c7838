import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventLine, eventLines } from "../../src/cli/events/event-line.ts";
import { plain } from "../../src/cli/terminal/colour.ts";
import { age } from "../../src/cli/terminal/output.ts";
import { createFakeDaemon, type FakeDaemon, runHere } from "../support/cli.ts";

let daemon: FakeDaemon;
const atTerminal = (args: string[], columns = 200) => runHere(["--socket", daemon.socket, ...args], columns);

beforeAll(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
  daemon.append("messaging.message.received", {
    sessionId: "0123456789abcdef0123456789abcdef0123456789abcdef",
    alias: null,
    agentId: "peer",
    text: "hi\u001b[2J\u202e\nthere",
  });
  daemon.append("nexus.stock.low", { sku: "A-1", name: "Bolt 漢", availableQuantity: 3, threshold: 10 });
});
afterAll(() => daemon.remove());

describe("at a terminal", () => {
  it("status is a table with the age of each success and the last error, escaped", async () => {
    const { code, stdout } = await atTerminal(["status"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^messaging +ok +\d s ago +-$/m);
    expect(stdout).toMatch(/^nex +down +never +nex_unauthorized, \d s ago: the key \\x1b\[31mis wrong$/m);
    expect(stdout).toMatch(/^nexus +disabled +- +-$/m);
    expect(stdout).toMatch(/^messaging-poll +ok +paced/m);
    expect(stdout).toMatch(/^log +events 1 to 2$/m);
  });

  it("columns align, and no line is wider than the terminal", async () => {
    const { stdout } = await atTerminal(["jobs"], 60);
    const [head = "", row = ""] = stdout.split("\n");
    expect(row.indexOf("ok")).toBe(head.indexOf("STATE"));
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
  });

  it("sinks are a table: their state, what is pending, how soon it is read, and why a wake was refused", async () => {
    const base = {
      ...{ name: "agent", kind: "exec", consumer: "agent", types: ["*"], state: "waiting", pausedBy: null },
      ...{ since: new Date(Date.now() - 40_000).toISOString(), running: false, pending: 1000, isMore: true },
      ...{ oldestPendingAt: new Date(Date.now() - 50_000).toISOString(), wakes: 4, acknowledged: 6 },
      ...{ eventsPerWake: 1.5, acknowledgementMs: { last: 1900, median: 4240, p99: 9000 }, failing: false },
      ...{ lastWakeAt: null, nextWakeAt: null, lastAcknowledgedAt: null, lastError: null },
    };
    const error = { code: "exit_status", message: "it ended with status 3", at: new Date().toISOString() };
    const quiet = {
      state: "quiet",
      pending: 0,
      isMore: false,
      oldestPendingAt: null,
      wakes: 0,
      eventsPerWake: null,
    };
    daemon.override = (_request, response) => {
      const sinks = [
        base,
        { ...base, name: "failing", state: "stuck", failing: true, lastError: error },
        {
          ...base,
          ...quiet,
          name: "held",
          pausedBy: "operator",
          acknowledgementMs: { last: null, median: null, p99: null },
        },
      ];
      response.end(JSON.stringify({ asOf: null, sinks }));
      return true;
    };
    const { stdout } = await atTerminal(["sinks"]);
    daemon.override = undefined;
    expect(stdout).toMatch(
      /^agent +exec +waiting, 40 s ago +1000\+, 50 s ago +never +- +4, 1\.5 events each +4\.2 s \(1\.9 s\) +-$/m,
    );
    expect(stdout).toMatch(/^failing +exec +stuck, .*exit_status, \d s ago: it ended with status 3$/m);
    expect(stdout).toMatch(/^held +exec +paused +- +never +- +0 +- +-$/m);
  });

  it("insights are a table, whatever they hold, and every filter is passed to the daemon", async () => {
    let asked = "";
    daemon.override = (request, response) => {
      asked = request.url ?? "";
      const insight = { type: "risk", confidence: 0.9, content: "late\u001b[2J", target: { hint: "Jane" } };
      const odd = [{ insight }, { insight: null }, { insight: { type: [1], entities: [{ name: "Joe" }] } }];
      const insights = odd.map((one) => ({ time: "2026-01-01T00:00:00Z", ...one }));
      response.end(JSON.stringify({ asOf: null, insights }));
      return true;
    };
    const filters = { type: "risk", target: "jane doe", text: "late", "min-confidence": "0.5", limit: "3" };
    const times = { since: "2026-03-01", until: "2026-03-02T01:02:03+01:00" };
    const args = Object.entries({ ...filters, ...times }).flatMap(([name, value]) => [`--${name}`, value]);
    const { code, stdout } = await atTerminal(["insights", ...args]);
    daemon.override = undefined;
    expect(code).toBe(0);
    expect(stdout).toMatch(/ d ago +risk +0\.9 +Jane +late\\x1b\[2J$/m);
    expect(stdout).toMatch(/ d ago +- +- +Joe +-$/m);
    expect(Object.fromEntries(new URLSearchParams(asked.split("?")[1]))).toEqual({
      ...{ type: "risk", target: "jane doe", text: "late", minConfidence: "0.5", limit: "3" },
      ...{ since: "2026-03-01T00:00:00Z", until: times.until },
    });
  });

  it("an invalid time for --since sends no request", async () => {
    const { code, stderr } = await atTerminal(["insights", "--since", "yesterday"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("how long ago")]);
  });

  it("--since yesterday is sent as a duration", async () => {
    let asked = "";
    daemon.override = (request, response) => {
      asked = request.url ?? "";
      response.end(JSON.stringify({ asOf: null, insights: [] }));
      return true;
    };
    expect((await atTerminal(["insights", "--since", "24h"])).code).toBe(0);
    daemon.override = undefined;
    const since = new URLSearchParams(asked.split("?")[1]).get("since") ?? "";
    expect(Math.abs(Date.parse(since) - (Date.now() - 86_400_000))).toBeLessThan(60_000);
  });

  const jobs = async (job: object, columns: number) => {
    daemon.override = (_request, response) => {
      const base = {
        kind: "cron",
        schedule: "* * * * *",
        running: false,
        lastSuccessAt: null,
        nextRunAt: null,
      };
      response.end(JSON.stringify({ jobs: [{ ...base, lastError: null, failures: 0, ...job }] }));
      return true;
    };
    try {
      return (await atTerminal(["jobs"], columns)).stdout;
    } finally {
      daemon.override = undefined;
    }
  };

  it("a job that cannot run shows its reason in the table, and in full below if it does not fit", async () => {
    const lastError = { code: "invalid_job", message: "has no default export", at: new Date().toISOString() };
    const job = { name: "broken", state: "invalid", lastError };
    expect(await jobs(job, 200)).toMatch(/^broken +invalid +.*has no default export\n$/m);
    const narrow = await jobs(job, 60);
    expect(narrow).toMatch(/^broken +invalid .*…$/m);
    expect(narrow).toMatch(/^broken: invalid_job, .*has no default export$/m);
  });

  it("the next run of a job is never in the past", async () => {
    const job = { name: "j", state: "ok", nextRunAt: new Date(Date.now() - 62_000).toISOString() };
    expect(await jobs(job, 200)).toMatch(/never +due +-$/m);
    expect(await jobs({ ...job, running: true }, 200)).toMatch(/never +running +-$/m);
  });

  it("a run in progress is not reported as over", async () => {
    daemon.override = (_request, response) => {
      response.writeHead(202).end("{}");
      return true;
    };
    const { stderr } = await atTerminal(["jobs", "run", "hang"]);
    daemon.override = undefined;
    expect(stderr).toContain("hang is still running");
  });

  it("an event is one line, and nothing in it controls the terminal", async () => {
    const { stdout } = await atTerminal(["events"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain("hi\\x1b[2J\\u{202e}\\nthere");
    expect(lines[1]).toMatch(/nexus\.stock\.low .*A-1 Bolt 漢: 3 \(threshold 10\)$/);
  });

  it("a session's id is not shown in full", async () => {
    expect((await atTerminal(["events"])).stdout).not.toContain("0123456789abcdef");
  });

  it("a refusal is one sentence on stderr", async () => {
    const { code, stdout, stderr } = await atTerminal(["consumers"]);
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("nexusctl: There is no /v1/consumers. (not_found)\n");
  });

  it("--json prints the same JSON as a pipe gets, escaped where it could control a terminal", async () => {
    const { stdout } = await atTerminal(["events", "--json"]);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toStrictEqual(daemon.log.map((line) => JSON.parse(line)));
    expect(stdout).not.toContain("\u202e");
  });

  it.skipIf(!existsSync("/usr/bin/script"))("is recognised by the real process (needs script)", async () => {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    const command = `"${process.execPath}" "${main}" --socket "${daemon.socket}" jobs`;
    const { stdout } = await promisify(execFile)("script", ["-qec", command, "/dev/null"]);
    expect(stdout).toMatch(/^JOB +STATE/);
  });
});

describe("a line for an event", () => {
  const line = (type: string, data: unknown) =>
    plain(
      eventLine(
        JSON.stringify({ sequence: "7", time: "2026-01-02T03:04:05.678", type: `nexusd.${type}`, data }),
      ),
    );

  it("shows the important fields of each kind", () => {
    expect(line("messaging.message.received", { alias: "ops", agentId: "bob", json: { a: 1 } })).toMatch(
      /^ {4}7 {2}2026-01-02 03:04:05 {2}messaging\.message\.received {2}ops bob: \{"a":1\}$/,
    );
    expect(
      line("nex.insight.received", { origin: "live", insight: { type: "risk", content: "late" } }),
    ).toMatch(/live risk: late$/);
    expect(
      line("nexus.order.pending", {
        orderNumber: "N1",
        orderStatus: "new",
        totalAmount: 5,
        currency: "EUR",
        pendingSince: "x",
      }),
    ).toMatch(/N1 new 5 EUR, since x$/);
    expect(
      line("nexus.order.advanced", {
        orderNumber: "N1",
        orderStatus: "new",
        pendingSince: "x",
        removed: true,
      }),
    ).toMatch(/N1 removed, was new, since x$/);
    expect(line("nexus.stock.recovered", { sku: "A", name: "Bolt", removed: true })).toMatch(
      /A Bolt: removed$/,
    );
    expect(line("messaging.session.lost", { alias: "ops", code: "c", message: "gone" })).toMatch(/ops gone$/);
    expect(line("job.failed", { job: "j", code: "c", message: "m" })).toMatch(/j c: m$/);
    expect(line("write.proposed", { operation: "a.b.c", reason: "r", note: null, error: null })).toMatch(
      /a\.b\.c: r$/,
    );
    expect(line("write.failed", { operation: "a.b.c", error: { code: "stale", message: "m" } })).toMatch(
      /a\.b\.c: stale: m$/,
    );
    expect(line("something.new", { a: 1 })).toMatch(/\{"a":1\}$/);
  });

  it("aligns with the others of its page, in columns no wider than needed", () => {
    const event = (sequence: string, type: string, subject: string, data: unknown) =>
      JSON.stringify({ sequence, time: "2026-01-02T03:04:05Z", type: `nexusd.${type}`, subject, data });
    const uuid = "3f0c1f6e-6f0d-4f53-9d3e-0a4b5d6c7e8f";
    const now = new Date("2026-01-02T03:05:00Z");
    expect(
      eventLines(
        [
          event("9", "messaging.message.received", uuid, { alias: "ops", agentId: "bob", text: "hello" }),
          event("10", "nexus.stock.low", "A-1", {
            sku: "A-1",
            name: "漢",
            availableQuantity: 1,
            threshold: 2,
          }),
          event("11", "something.new", "A-2", { a: 1 }),
        ],
        now,
      ).map((line) => plain(line).replace(/\d\d:\d\d:\d\d/, "hh:mm:ss")),
    ).toStrictEqual([
      " 9  hh:mm:ss  messaging.message.received  ops bob: hello",
      "10  hh:mm:ss  nexus.stock.low             A-1 漢: 1 (threshold 2)",
      '11  hh:mm:ss  something.new               A-2 {"a":1}',
    ]);
  });

  it("leaves room for the text of a message in 80 columns", () => {
    const time = new Date().toISOString();
    const data = { alias: "workshop", agentId: "peer", text: "the pump is loud" };
    const json = JSON.stringify({ sequence: "7", time, type: "nexusd.messaging.message.received", data });
    expect(plain(eventLine(json)).slice(0, 80)).toContain("workshop peer: the pump is loud");
  });

  it("keeps every digit of a large id, and accepts data of any shape", () => {
    expect(plain(eventLine('{"type":"nexusd.x","data":{"id":48066188026052610}}'))).toContain(
      "48066188026052610",
    );
    for (const data of [null, 7, "text", [1], { insight: null }, { message: { deep: true } }])
      for (const type of [
        "messaging.message.received",
        "nex.insight.received",
        "nexus.stock.low",
        "job.failed",
        "write.failed",
        "x",
      ])
        expect(line(type, data)).not.toMatch(/undefined|\[object/);
  });
});

it("an age is short, and past differs from future", () => {
  const now = Date.parse("2026-01-02T03:00:00Z");
  const at = (seconds: number) => age(new Date(now + seconds * 1000).toISOString(), now);
  expect([at(-5), at(-300), at(-7200), at(-4 * 86_400), at(40)]).toStrictEqual([
    "5 s ago",
    "5 min ago",
    "2 h ago",
    "4 d ago",
    "in 40 s",
  ]);
  expect(age(null)).toBe("never");
});
