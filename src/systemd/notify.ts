// Reports the service state to systemd through the program systemd-notify: sd_notify(3) needs a datagram socket, which
// Node.js does not have.

import { execFile } from "node:child_process";
import type { Logger } from "pino";

/** Messages are sent in order, and never fail: if one cannot be sent, a warning is logged, once. */
export interface Notifier {
  /** In milliseconds; undefined: no watchdog. systemd restarts nexusd after this long without a ping. */
  readonly watchdogMs: number | undefined;
  /** Startup is complete. */
  ready(status: string): Promise<void>;
  /** One line of text for `systemctl status`; a repeated line is not sent. */
  status(text: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  /** Asks for more time to start or stop, in milliseconds from now. */
  extendTimeout(ms: number): Promise<void>;
  /** Watchdog ping. */
  ping(): Promise<void>;
}

const PROGRAM = "systemd-notify";
/** A message that takes longer is dropped: the next one must not wait forever. */
const TIMEOUT_MS = 5000;

type Env = Readonly<Record<string, string | undefined>>;

/** Sends nothing without NOTIFY_SOCKET in `env`. */
export function createNotifier(options: { env: Env; pid: number; log: Logger }): Notifier {
  const { env, pid, log } = options;
  let last = Promise.resolve();
  let lastStatus: string | undefined;
  let hasWarned = false;

  const send = (...fields: string[]): Promise<void> => {
    if (!env.NOTIFY_SOCKET) return last;
    last = last.then(() => run(fields));
    return last;
  };
  const run = (fields: string[]) =>
    new Promise<void>((resolve) => {
      execFile(PROGRAM, fields, { timeout: TIMEOUT_MS }, (error) => {
        if (error && !hasWarned) {
          hasWarned = true;
          log.warn({ code: error.code }, `systemd was not told: ${PROGRAM} failed; is it installed?`);
        }
        resolve();
      });
    });
  const statusOf = (text: string) => {
    lastStatus = text;
    return `STATUS=${text}`;
  };

  return {
    watchdogMs: watchdogOf(env, pid),
    ready: (status) => send("READY=1", statusOf(status)),
    status: (text) => (text === lastStatus ? last : send(statusOf(text))),
    reloading: () => send("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => send("STOPPING=1", statusOf("stopping")),
    extendTimeout: (ms) => send(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1000)}`),
    ping: () => send("WATCHDOG=1"),
  };
}

/** sd_watchdog_enabled(3) */
function watchdogOf({ WATCHDOG_USEC, WATCHDOG_PID }: Env, pid: number): number | undefined {
  const ms = Number(WATCHDOG_USEC) / 1000;
  if (!(ms > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid)) return undefined;
  return ms;
}
