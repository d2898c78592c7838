// A real daemon whose event loop is blocked: while it makes slow progress it counts as alive, and while it makes none
// it sends systemd no pings.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { install, startDaemon } from "../support/daemon.ts";
import { recordNotify } from "../support/systemd-notify.ts";

const PERIOD_MS = 4000;
const HUNG_MS = 2 * PERIOD_MS;

/** Loaded before the daemon: only code inside a process can block its event loop. */
const HOLD_UP = `
const busy = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
process.on("SIGUSR2", () => setInterval(() => busy(150), 200));
process.on("SIGWINCH", () => busy(${HUNG_MS}));
`;

async function startHeldUp() {
  const installation = install(
    "[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n",
  );
  const notify = recordNotify();
  const preload = join(installation.directory, "hold-up.mjs");
  writeFileSync(preload, HOLD_UP);
  const daemon = startDaemon(installation, {
    ...SANDBOX_ENV,
    ...notify.env,
    NODE_OPTIONS: `--import=${preload}`,
    WATCHDOG_USEC: `${PERIOD_MS * 1000}`,
  });
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
    notify.remove();
    installation.remove();
  });
  await daemon.ready;
  const pings = () => notify.messages().filter(([field]) => field === "WATCHDOG=1").length;
  const until = async (count: number) => {
    while (pings() < count) await sleep(50);
  };
  return { process: daemon.process, pings, until };
}

test("a hung daemon sends no watchdog pings until it recovers, so that systemd restarts it", async () => {
  const { process, pings, until } = await startHeldUp();
  await until(1);
  process.kill("SIGWINCH");
  // Messages sent before the signal arrived may still be on their way.
  await sleep(500);
  const before = pings();
  await sleep(HUNG_MS - 1500);
  expect(pings(), "longer than systemd waits").toBe(before);
  await until(before + 1);
}, 60_000);

// Twice before it is believed: the test machine may have paused for a moment.
test("a daemon that is busy three quarters of the time keeps pinging", {
  timeout: 60_000,
  retry: 1,
}, async () => {
  const { process, pings, until } = await startHeldUp();
  await until(1);
  process.kill("SIGUSR2");
  for (let ping = 0, before = pings(); ping < 3; ping++) {
    const beganAt = performance.now();
    await until(before + 1);
    before = pings();
    expect(performance.now() - beganAt, "as often as systemd waits for").toBeLessThan(PERIOD_MS);
  }
});
