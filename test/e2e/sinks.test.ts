// Sinks of a real daemon with real commands: seen, tested, woken, paused and changed while it runs.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { spawnCli } from "../support/cli.ts";
import { ask, readLog } from "../support/daemon.ts";
import { createSinkScene, isRunning } from "../support/sink-daemon.ts";

const tables = (place: (name: string) => string, more = "") => `
[[sinks]]
name = "agent"
kind = "exec"
types = ["shop.*"]
debounce = "0s"
command = ["${place("wake")}"]
${more}`;

test("an event is passed to a command within the debounce, and its acknowledgement ends it", async () => {
  const scene = createSinkScene(tables);
  scene.script("wake", 'cat >> notices; echo "$NEXUSD_AGENT_SOCKET" > socket');
  await scene.start();
  expect(await scene.status()).toMatchObject({ state: "quiet", wakes: 0, pending: 0 });
  await scene.emit();
  await scene.until(
    async () => (await scene.status()).wakes === 1 && !(await scene.status()).running,
    "a wake",
  );
  expect(scene.lines("notices").map((line) => JSON.parse(line))).toEqual([
    {
      ...{ sink: "agent", consumer: "agent", pending: 1, isMore: false, oldest: 2, newest: 2 },
      types: { "nexusd.shop.item.sold": 1 },
    },
  ]);
  expect(scene.lines("socket")).toEqual([scene.installation.agentSocket]);
  await scene.acknowledge();
  expect(await scene.status()).toMatchObject({ state: "quiet", acknowledged: 1, eventsPerWake: 1 });
  const { sinks } = JSON.parse((await scene.operator("GET", "/v1/status")).text);
  expect(sinks).toHaveLength(1);
  const { text } = await scene.operator("GET", "/metrics");
  expect(text).toContain('nexusd_sink_wakes_total{sink="agent",outcome="heard"} 1');
  expect(text).toContain('nexusd_sink_state{sink="agent",state="quiet"} 1');
  expect(text).toContain("nexusd_sink_acknowledgement_seconds_count 1");
});

test("agents can see sinks, and only operators can control them", async () => {
  const scene = createSinkScene(tables);
  scene.script("wake", "true");
  await scene.start();
  const { agentSocket } = scene.installation;
  expect(JSON.parse((await ask(agentSocket, "/v1/sinks")).text).sinks).toHaveLength(1);
  for (const verb of ["wake", "pause", "resume", "test"]) {
    const path = `/v1/sinks/agent/${verb}`;
    expect(JSON.parse((await ask(agentSocket, path, { method: "POST" })).text).code).toBe("operator_only");
    const missing = await scene.operator("POST", `/v1/sinks/agnet/${verb}`);
    expect([missing.status, JSON.parse(missing.text)]).toMatchObject([
      404,
      { code: "sink_not_found", detail: expect.stringContaining('Did you mean "agent"?') },
    ]);
  }
});

test("nexusctl lists, tests, wakes, pauses and resumes", async () => {
  const scene = createSinkScene(tables);
  scene.script("wake", 'echo "test=$NEXUSD_TEST" >> wakes; exit "$(cat status)"');
  execFileSync("/bin/sh", ["-c", `echo 0 > '${scene.place("status")}'`]);
  await scene.start();
  const cli = async (...args: string[]) => {
    const { code, stdout } = await spawnCli(["--config", scene.installation.configPath, "sinks", ...args])
      .ended;
    return { code, json: JSON.parse(stdout) };
  };
  expect(await cli()).toMatchObject({ code: 0, json: { sinks: [{ name: "agent", state: "quiet" }] } });
  expect(await cli("test", "agent")).toMatchObject({ code: 0, json: { outcome: "heard" } });
  execFileSync("/bin/sh", ["-c", `echo 7 > '${scene.place("status")}'`]);
  expect(await cli("test", "agent")).toMatchObject({
    code: 1,
    json: { outcome: "refused", code: "exit_status" },
  });
  expect(await cli("wake", "agent")).toMatchObject({
    code: 1,
    json: { code: "nothing_pending", status: 409 },
  });
  expect(scene.lines("wakes")).toEqual(["test=1", "test=1"]);
  expect(await scene.status()).toMatchObject({ state: "quiet", wakes: 0, failing: false, lastError: null });

  expect(await cli("pause", "agent")).toMatchObject({ code: 0, json: { pausedBy: "operator" } });
  await scene.emit();
  expect(await cli("wake", "agent")).toMatchObject({ code: 1, json: { code: "sink_paused" } });
  await scene.daemon.end("SIGKILL");
  await scene.start();
  expect(await scene.status()).toMatchObject({ pausedBy: "operator", pending: 1, wakes: 0 });
  expect(await cli("resume", "agent")).toMatchObject({ code: 0, json: { pausedBy: null } });
  await scene.until(
    async () => (await scene.status()).failing && !(await scene.status()).running,
    "the refusal",
  );
  expect(await cli("wake", "agent")).toMatchObject({ code: 0, json: { wakes: 2, failing: true } });
  expect(
    (await readLog(scene.installation.operatorSocket))
      .filter(({ type }) => type.includes(".sink."))
      .map(({ type, data, source, subject }) => [type, source, subject, data.code]),
  ).toEqual([["nexusd.sink.failed", "/sinks/agent", "agent", "exit_status"]]);
  expect(await cli("list")).toMatchObject({ json: { sinks: [{ lastError: { code: "exit_status" } }] } });
}, 60_000);

test("a reload adds, changes and removes sinks, leaves the other running commands alone, and refuses an invalid file", async () => {
  const scene = createSinkScene(tables);
  scene.script("wake", "echo $$ > leader; sleep 300");
  scene.script("other", "echo woken >> others");
  await scene.start();
  await scene.emit();
  const [leader = 0] = await scene.until(() => {
    const found = scene.lines("leader").map(Number);
    return found.length > 0 && found;
  }, "the command");
  const other = (debounce: string) =>
    `[[sinks]]\nname = "other"\nkind = "exec"\ntypes = ["shop.*"]\ndebounce = "${debounce}"\ncommand = ["${scene.place("other")}"]\n`;
  const reload = async (text: string) => {
    scene.configure(text);
    return JSON.parse((await scene.operator("POST", "/v1/reload")).text);
  };
  expect(await reload(tables(scene.place, other("1h")))).toEqual({ applied: ["sinks"], restartNeeded: [] });
  await scene.emit();
  await scene.until(async () => (await scene.status("other")).state === "due", "the new sink to be due");
  await reload(tables(scene.place, other("0s")));
  await scene.until(() => scene.lines("others").length > 0, "the changed sink's wake");
  expect(isRunning(leader)).toBe(true);
  expect(await reload(tables(scene.place, other("soon")))).toMatchObject({
    ...{ code: "invalid_config", status: 422 },
    errors: [{ path: "sinks[1].debounce" }],
  });
  expect(
    await reload(
      tables(
        scene.place,
        '[[sinks]]\nname = "x"\nkind = "exec"\ntypes = ["shop.itm.sold"]\ncommand = ["true"]',
      ),
    ),
  ).toMatchObject({
    errors: [
      { path: "sinks[1].types[0]", message: expect.stringContaining("did you mean nexusd.shop.item.sold") },
    ],
  });
  expect(await scene.status("other")).toMatchObject({ wakes: 1 });
  expect(await reload("")).toMatchObject({ applied: ["sinks"] });
  await scene.until(() => !isRunning(leader), "the removed sink's command to end");
  expect(JSON.parse((await scene.operator("GET", "/v1/sinks")).text).sinks).toEqual([]);
  // Its place is kept until it returns.
  await reload(tables(scene.place));
  expect(await scene.status()).toMatchObject({ wakes: 1, pending: 2, state: "waiting" });
}, 60_000);
