// doctor: the unit of nexusd, if systemd is running and has it.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { type Check, fail, ok, warn } from "./doctor.ts";

const UNIT = "nexusd.service";
const TIMEOUT_MS = 5000;
const LOOK = `journalctl -u ${UNIT} -n 50`;

export interface Systemd {
  /** The output of `systemctl show` for the unit, as `Name=value` lines; undefined if systemd is not running. */
  show(): Promise<string | undefined>;
}

export const systemd: Systemd = {
  async show() {
    if (!existsSync("/run/systemd/system")) return undefined;
    const properties = "--property=LoadState,ActiveState,SubState,Result";
    const { stdout } = await promisify(execFile)("systemctl", ["show", UNIT, properties], {
      timeout: TIMEOUT_MS,
    });
    return stdout;
  },
};

/** @param isRunning whether a daemon answers, be it the unit's or one that was started by hand */
export async function examineUnit(isRunning: boolean, { show }: Systemd): Promise<Check[]> {
  let shown: string | undefined;
  try {
    shown = await show();
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return [
      warn("unit", `systemd does not report the state of ${UNIT} (${why})`, `systemctl status ${UNIT}`),
    ];
  }
  if (shown === undefined) return [];
  const facts = new Map(shown.split("\n").map((line) => splitOnce(line)));
  if (facts.get("LoadState") === "not-found") return [];
  const active = facts.get("ActiveState") ?? "unknown";
  const detail = `${UNIT} is ${active} (${facts.get("SubState") ?? "unknown"})`;
  switch (active) {
    case "active":
    case "reloading":
      return [ok("unit", detail)];
    case "activating":
    case "deactivating":
      return [warn("unit", detail, `Wait, or find out why it takes so long: ${LOOK}`)];
    case "failed":
      return [
        fail(
          "unit",
          `${detail}: ${facts.get("Result") ?? "unknown"}`,
          `See why: ${LOOK}; then: systemctl restart ${UNIT}`,
        ),
      ];
    default:
      return isRunning
        ? [warn("unit", `${detail}, but a daemon answers that it did not start`)]
        : [fail("unit", detail, `systemctl enable --now ${UNIT}`)];
  }
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}
