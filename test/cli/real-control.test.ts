import { afterEach, describe, expect, it } from "vitest";
import { startControl } from "../../src/control/server.ts";
import { JobError } from "../../src/scheduler/job.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import { type CliProcess, runCli, runHere, spawnCli } from "../support/cli.ts";
import {
  cronJob,
  jobNotRunnable,
  message,
  recovered,
  startTestControl,
  updateOrderStatus,
} from "../support/control.ts";
import { createFakeTty, runAtTty } from "../support/tty.ts";

const HUGE = 48066188026052610n;
let cli: CliProcess | undefined;
afterEach(() => {
  cli?.child.kill("SIGKILL");
  cli = undefined;
});

const sequences = ({ lines }: CliProcess) => lines().map((line) => Number(JSON.parse(line).sequence));
const upTo = (latest: number) => Array.from({ length: latest }, (_, index) => index + 1);

describe("against the real control API and a real log", () => {
  it("follows each event exactly once over restarts, with events appended in between", async () => {
    const daemon = await startTestControl();
    let { control } = daemon;
    await daemon.append(message(), message());
    cli = spawnCli(["--socket", daemon.sockets.agent, "events", "--follow", "--after", "0"]);
    await cli.until(({ lines }) => lines().length === 2);
    let latest = 2;
    for (let round = 0; round < 3; round++) {
      latest = await daemon.append(message());
      await control.close();
      latest = await daemon.append(message(), message(), message());
      control = await startControl(daemon);
      latest = await daemon.append(message());
      await cli.until(({ lines }) => lines().length >= latest);
    }
    await control.close();
    expect(sequences(cli)).toStrictEqual(upTo(latest));
    cli.child.kill("SIGTERM");
    expect(await cli.ended).toMatchObject({ code: 0 });
  });

  it("follows only the requested types, and reports what retention removed", async () => {
    const daemon = await startTestControl();
    await daemon.append(...Array.from({ length: 5 }, () => message()), recovered(), message());
    await daemon.store.pruneEvents({ keep: 4 });
    cli = spawnCli(["--socket", daemon.sockets.agent, "events", "-f", "--after", "1", "--type", "service.*"]);
    await cli.until(({ lines }) => lines().length === 1);
    await daemon.append(message(), recovered());
    await cli.until(({ lines }) => lines().length === 2);
    expect(sequences(cli)).toStrictEqual([6, 9]);
    expect(cli.stderr()).toContain("events 2 to 3 are missing");
  });

  it("prints the newest events with --last, however far apart they are, and then follows", async () => {
    const daemon = await startTestControl();
    const nexusctl = (...args: string[]) => runHere(["--socket", daemon.sockets.agent, ...args]);
    const printed = async (...args: string[]) =>
      (await nexusctl(...args)).stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => Number(JSON.parse(line).sequence));
    expect(await printed("events", "--last", "3")).toStrictEqual([]);
    await daemon.append(recovered(), ...Array.from({ length: 700 }, () => message()), recovered(), message());
    expect(await printed("events", "--last", "3")).toStrictEqual([701, 702, 703]);
    expect(await printed("events", "--last", "2", "--type", "service.*")).toStrictEqual([1, 702]);
    expect(await printed("events", "--last", "5", "--type", "service.*")).toStrictEqual([1, 702]);
    for (const other of [
      ["--after", "1"],
      ["--limit", "1"],
    ])
      expect(await nexusctl("events", "--last", "3", ...other)).toMatchObject({ code: 2, stdout: "" });
    cli = spawnCli(["--socket", daemon.sockets.agent, "events", "--last", "2", "--follow"]);
    await cli.until(({ lines }) => lines().length === 2);
    await daemon.append(message());
    await cli.until(({ lines }) => lines().length === 3);
    expect(sequences(cli)).toStrictEqual([702, 703, 704]);
  });

  it("prints the newest messages of a session with --last", async () => {
    const daemon = await startTestControl();
    const session = newSession({
      ...{ sessionId: "session-1", alias: "ops" },
      ...{ baseUrl: "https://messaging.md", agentId: "nexusd" },
    });
    const value = { ...session, state: "joined" };
    await daemon.store.commitObservation({
      source: "test",
      put: [{ kind: "messaging.session", key: "session-1", value }],
    });
    const say = (id: string, n: number) => message(id, { text: `${id} ${n}` });
    await daemon.append(...Array.from({ length: 40 }, (_, n) => say("session-1", n)));
    await daemon.append(...Array.from({ length: 600 }, (_, n) => say("session-2", n)));
    const { stdout } = await runHere([
      "--socket",
      daemon.sockets.agent,
      "messaging",
      "poll",
      "ops",
      "--last",
      "2",
    ]);
    expect(stdout.match(/session-1 \d+/g)).toStrictEqual(["session-1 38", "session-1 39"]);
  });

  it("prints stored events digit for digit", async () => {
    const daemon = await startTestControl();
    await daemon.append(message("s", { json: { id: HUGE } }));
    const { stdout } = await runCli(["--socket", daemon.sockets.agent, "events"]);
    expect(stdout).toContain(`"id":${HUGE}`);
    expect(stdout).toBe(`${(await daemon.store.readEvents({ after: 0, limit: 1 })).events[0]?.json}\n`);
  });

  it("takes a consumer from its creation to its deletion", async () => {
    const daemon = await startTestControl();
    const nexusctl = (...args: string[]) => runHere(["--socket", daemon.sockets.agent, "consumers", ...args]);
    await daemon.append(message(), recovered(), message());
    expect(await nexusctl("create", "mine", "--from", "oldest", "--type", "messaging.*")).toMatchObject({
      code: 0,
    });
    const events = await nexusctl("events", "mine", "--limit", "1");
    expect(JSON.parse(events.stdout)).toMatchObject({ sequence: "1" });
    expect((await nexusctl("ack", "mine", "1")).code).toBe(0);
    expect(JSON.parse((await nexusctl("events", "mine")).stdout)).toMatchObject({ sequence: "3" });
    expect(JSON.parse((await nexusctl("show", "mine")).stdout)).toMatchObject({ name: "mine", position: 1 });
    expect(JSON.parse((await nexusctl()).stdout).consumers).toHaveLength(1);
    expect(await nexusctl("ack", "mine", "99")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("cursor_ahead"),
    });
    expect((await nexusctl("delete", "mine")).code).toBe(0);
    for (const args of [["show"], ["delete"], ["events"]])
      expect(await nexusctl(...args, "mine")).toMatchObject({
        code: 1,
        stdout: expect.stringContaining("consumer_not_found"),
      });
  });

  it("runs, pauses and resumes jobs and reloads, as the operator only", async () => {
    const daemon = await startTestControl();
    const over = (socket: string, ...args: string[]) => runHere(["--socket", socket, ...args]);
    const { agent, operator } = daemon.sockets;
    expect(JSON.parse((await over(operator, "jobs", "pause", "nexus-low-stock")).stdout)).toMatchObject({
      state: "paused",
    });
    daemon.state.run = async () => Promise.reject(jobNotRunnable());
    expect(await over(operator, "jobs", "run", "nexus-low-stock")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("job_not_runnable"),
    });
    expect((await over(operator, "jobs", "resume", "nexus-low-stock")).code).toBe(0);
    expect(JSON.parse((await over(operator, "reload")).stdout)).toMatchObject({
      applied: ["jobs.retention.schedule"],
    });
    for (const args of [["reload"], ["jobs", "pause", "nexus-low-stock"]])
      expect(await over(agent, ...args)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining("operator_only"),
      });
    expect((await runHere(["--socket", agent, "status"], 200)).stdout).toMatch(/^nexus-low-stock +starting/m);
  });

  it("prints the outcome of a run", async () => {
    const daemon = await startTestControl();
    const { operator } = daemon.sockets;
    const ran = async (name: string) =>
      (await runHere(["--socket", operator, "jobs", "run", name], 100)).stderr;
    expect(await ran("nexus-low-stock")).toBe("nexusctl: ran nexus-low-stock\n");
    const lastError = { code: "c", message: "no more", at: new Date().toISOString() };
    daemon.state.jobs = [cronJob({ state: "failing", failures: 1, lastError })];
    expect(await ran("nexus-low-stock")).toMatch(/ran nexus-low-stock, which failed: c, .*: no more\n/);

    daemon.state.jobs = [
      cronJob({
        name: "broken",
        description: "/j/broken.ts",
        state: "invalid",
        lastError: { ...lastError, message: "has no default export" },
      }),
    ];
    daemon.state.run = async () => Promise.reject(new JobError("job_not_found", "there is no job"));
    expect(await ran("broken")).toMatch(
      /not a valid job: has no default export\. Fix \/j\/broken\.ts.*\(job_not_found\)/,
    );
    expect(await ran("brokn")).toContain("Did you mean broken?");
    expect(await ran("xyzzy-plugh")).toContain("nexusctl jobs lists them");
  });

  it("takes a write from its proposal to its approval at a terminal, and shows its audit rows", async () => {
    const daemon = await startTestControl();
    const over = (socket: string, ...args: string[]) => runHere(["--socket", socket, ...args]);
    const { agent, operator } = daemon.sockets;
    const operation = "nexus.orders.update_status";
    expect(JSON.parse((await over(agent, "operations")).stdout)).toStrictEqual([updateOrderStatus]);
    const proposal = ["--reason", "r", "--agent", "me", "--idempotency-key", "k", "--ttl", "2h"];
    const proposed = await over(agent, "write", operation, "orderId=007", ...proposal);
    const { id, digest } = JSON.parse(proposed.stdout);
    expect(JSON.parse(proposed.stdout)).toMatchObject({
      input: { orderId: "007" },
      reason: "r",
      agent: "me",
    });
    expect(
      JSON.parse((await over(agent, "writes", "--state", "proposed", "--limit", "1")).stdout),
    ).toMatchObject({
      writes: [{ id }],
    });

    const early = await over(agent, "writes", "approve", id, "--yes", "--digest", digest);
    expect(early).toMatchObject({ code: 1, stdout: expect.stringContaining("operator_only") });
    const tty = createFakeTty();
    const done = runAtTty(["--socket", operator, "writes", "approve", id, "--note", "fine"], tty);
    await tty.until(({ text }) => text().includes("[y/N]"));
    tty.type("y\r");
    expect(await done).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${id}  ${operation}  approved`),
    });
    expect(daemon.writes.calls).toContainEqual(["approve", id, digest, expect.anything(), "fine"]);
    expect(JSON.parse((await over(agent, "writes", "show", id)).stdout)).toMatchObject({
      state: "approved",
      note: "fine",
    });

    const other = daemon.writes.add();
    expect((await over(operator, "writes", "reject", other.id, "--reason", "no")).code).toBe(0);
    expect((await over(agent, "writes", "cancel", other.id)).stdout).toContain("write_already_decided");
    const unknown = daemon.writes.add({ state: "unknown" });
    const resolution = ["--outcome", "succeeded", "--note", "n"];
    expect((await over(operator, "writes", "resolve", unknown.id, ...resolution)).code).toBe(0);
    expect(
      JSON.parse((await over(operator, "audit", "--after", "0", "--limit", "5", "--write", id)).stdout),
    ).toStrictEqual({
      rows: [],
      next: 0,
    });
    expect(JSON.parse((await over(operator, "audit", "verify")).stdout)).toMatchObject({ ok: true, rows: 0 });
  });

  it("reads with every digit, and keeps an inbox over a restart", async () => {
    const daemon = await startTestControl();
    const { agent, operator } = daemon.sockets;
    const read = await runHere(["--socket", agent, "read", "nexus.orders.list", "--input", `{"id":${HUGE}}`]);
    expect(read.stdout).toContain(`"output":{"id":${HUGE}}`);

    const tty = createFakeTty();
    const done = runAtTty(["--socket", operator, "writes", "watch"], tty);
    const shows = (text: string) => tty.until(({ screen }) => screen().join("\n").includes(text));
    await shows("nothing to decide");
    const propose = async (reason: string) => {
      const write = daemon.writes.add({ reason });
      const { operation, state, digest, agent } = write;
      const data = { writeId: write.id, operation, state, digest, agent, reason, note: null, error: null };
      await daemon.append({ type: "write.proposed", source: "/writes", data });
    };
    await propose("the first");
    await shows("the first");
    await daemon.control.close();
    await propose("the second");
    const control = await startControl(daemon);
    await shows("the second");
    tty.type("q");
    expect((await done).code).toBe(0);
    await control.close();
  });
});
