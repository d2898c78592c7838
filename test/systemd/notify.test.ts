import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { createNotifier } from "../../src/systemd/notify.ts";
import { type RecordedNotify, recordNotify } from "../support/systemd-notify.ts";

let recorded: RecordedNotify | undefined;
afterEach(() => {
  recorded?.remove();
  vi.unstubAllEnvs();
});

const logInto = (lines: string[]) => pino({ base: null }, { write: (line: string) => void lines.push(line) });

function start(before?: string) {
  const lines: string[] = [];
  recorded = recordNotify(before);
  vi.stubEnv("PATH", recorded.env.PATH);
  const notifier = createNotifier({ env: recorded.env, pid: process.pid, log: logInto(lines) });
  return { notifier, lines, messages: recorded.messages };
}

test("every message is sent in the order given, even if no caller waits", async () => {
  const { notifier, messages } = start();
  void notifier.extendTimeout(1500);
  void notifier.ready("polling 12 sessions");
  void notifier.ping();
  void notifier.reloading();
  await notifier.stopping();
  expect(messages()).toEqual([
    ["EXTEND_TIMEOUT_USEC=1500000"],
    ["READY=1", "STATUS=polling 12 sessions"],
    ["WATCHDOG=1"],
    ["RELOADING=1", expect.stringMatching(/^MONOTONIC_USEC=\d+$/)],
    ["STOPPING=1", "STATUS=stopping"],
  ]);
});

test("an unchanged status is not sent again, whoever sent it before", async () => {
  const { notifier, messages } = start();
  await notifier.ready("polling 1 session");
  await notifier.status("polling 1 session");
  await notifier.status("polling 2 sessions");
  await notifier.status("polling 2 sessions");
  expect(messages()).toEqual([["READY=1", "STATUS=polling 1 session"], ["STATUS=polling 2 sessions"]]);
});

test("a failing program is one warning with a remedy, and stops nothing", async () => {
  const { notifier, lines, messages } = start("exit 1");
  await notifier.ready("running");
  await notifier.ping();
  expect(messages()).toEqual([]);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: 40,
    msg: expect.stringContaining("is it installed?"),
  });
});

test("without NOTIFY_SOCKET no program is started at all", async () => {
  const { messages } = start();
  const lines: string[] = [];
  const alone = createNotifier({ env: {}, pid: process.pid, log: logInto(lines) });
  await alone.ready("running");
  await alone.ping();
  expect(messages()).toEqual([]);
  expect(lines).toEqual([]);
});

test.each([
  ["a minute", { WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7" }, 60_000],
  ["a minute, for whoever it is", { WATCHDOG_USEC: "60000000" }, 60_000],
  ["nothing: it is for another process", { WATCHDOG_USEC: "60000000", WATCHDOG_PID: "8" }, undefined],
  ["nothing: it is off", {}, undefined],
  ["nothing: it is zero", { WATCHDOG_USEC: "0" }, undefined],
  ["nothing: it is no number", { WATCHDOG_USEC: "soon" }, undefined],
])("the watchdog waits for %s", (_, env, expected) => {
  expect(createNotifier({ env, pid: 7, log: logInto([]) }).watchdogMs).toBe(expected);
});
