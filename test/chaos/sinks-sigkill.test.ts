// SIGKILLs of the real daemon while a sink debounces, waits and hands over to a real command.

import { expect, test } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createSinkScene, isRunning } from "../support/sink-daemon.ts";

const sink = (more: string) => (place: (name: string) => string) =>
  `[[sinks]]\nname = "agent"\nkind = "exec"\ntypes = ["shop.*"]\ncommand = ["${place("wake")}"]\n${more}`;

const WAKE = 'echo "$NEXUSD_WAKE $NEXUSD_PENDING" >> wakes';

test("during the debounce: the next start sends the wake, once", async () => {
  const scene = createSinkScene(sink('debounce = "1500ms"'));
  scene.script("wake", WAKE);
  await scene.start();
  await scene.emit();
  expect((await scene.status()).state).toBe("due");
  await scene.daemon.end("SIGKILL");
  expect(scene.lines("wakes")).toEqual([]);
  await scene.start();
  await scene.until(() => scene.lines("wakes").length > 0, "a wake");
  await scene.until(async () => !(await scene.status()).running, "the end of it");
  expect(await scene.status()).toMatchObject({ state: "waiting", wakes: 1, pending: 1 });
});

test("during a wait: it keeps its place on the ladder, and wakes nothing early", async () => {
  const scene = createSinkScene(sink('debounce = "0s"'));
  scene.script("wake", WAKE);
  await scene.start();
  await scene.emit();
  await scene.until(async () => scene.lines("wakes").length > 0 && !(await scene.status()).running, "a wake");
  const planned = Date.parse((await scene.status()).nextWakeAt ?? "");
  for (let kill = 0; kill < 3; kill++) {
    await scene.daemon.end("SIGKILL");
    await scene.start();
    const status = await scene.status();
    expect(status).toMatchObject({ state: "waiting", wakes: 1 });
    expect(Math.abs(Date.parse(status.nextWakeAt ?? "") - planned)).toBeLessThan(2000);
  }
  expect(scene.lines("wakes")).toHaveLength(1);
  await scene.acknowledge();
  expect(await scene.status()).toMatchObject({ state: "quiet", acknowledged: 1 });
});

test("during a command: the next start ends it, and no second one runs beside it", async () => {
  const scene = createSinkScene(sink('debounce = "0s"'));
  scene.script("wake", `${WAKE}\nsleep 300 &\necho $! > child; echo $$ > leader; wait`);
  await scene.start();
  await scene.emit();
  const pids = await scene.until(() => {
    const found = [...scene.lines("leader"), ...scene.lines("child")].map(Number);
    return found.length === 2 && found;
  }, "the command to run");
  await scene.daemon.end("SIGKILL");
  expect(pids.every(isRunning)).toBe(true);
  await scene.start();
  await scene.until(() => !pids.some(isRunning), "what was left running to be ended");
  expect(await scene.status()).toMatchObject({ state: "waiting", wakes: 1, running: false });
  expect(scene.lines("wakes")).toHaveLength(1);
});

test("a stop ends the command in time and leaves nothing behind", async () => {
  const scene = createSinkScene(sink('debounce = "0s"'));
  scene.script("wake", "trap '' TERM\necho $$ > leader\nwhile :; do sleep 1; done");
  await scene.start();
  await scene.emit();
  const [leader = 0] = await scene.until(() => {
    const found = scene.lines("leader").map(Number);
    return found.length > 0 && found;
  }, "the command to run");
  const started = performance.now();
  expect(await scene.daemon.end("SIGTERM")).toBe(0);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(isRunning(leader)).toBe(false);
});

test("at random moments: the limit of wakes is never exceeded, and no wake is sent twice", async () => {
  const scene = createSinkScene(sink('debounce = "0s"\nmax_wakes_per_hour = 6'));
  scene.script("wake", WAKE);
  await scene.start();
  for (let kill = 0; kill < 10; kill++) {
    await scene.emit();
    await scene.until(async () => (await scene.status()).wakes > Math.min(kill, 5), "a wake on record");
    if (kill % 3 !== 0) await scene.until(async () => !(await scene.status()).running, "the end of it");
    await scene.acknowledge();
    await new Promise((resolve) => setTimeout(resolve, (kill * 37) % 50));
    await scene.daemon.end("SIGKILL");
    await scene.start();
  }
  await scene.emit();
  expect(await scene.status()).toMatchObject({ state: "due", wakes: 6, pending: 1 });
  const ids = scene.lines("wakes").map((line) => line.split(" ")[0]);
  expect(ids.length).toBeLessThanOrEqual(6);
  expect(new Set(ids).size).toBe(ids.length);
}, 90_000);

test("a second daemon on the same configuration is refused and sends no wake", async () => {
  const scene = createSinkScene(sink('debounce = "500ms"'));
  scene.script("wake", WAKE);
  await scene.start();
  await scene.emit();
  const second = startDaemon(scene.installation, {});
  expect(await second.ended).toBe(1);
  expect(second.log()).toContain("in use by another nexusd");
  await scene.until(
    async () => (await scene.status()).wakes === 1 && !(await scene.status()).running,
    "the wake",
  );
  expect(scene.lines("wakes")).toHaveLength(1);
});
