// Steps that the checks repeat in a container with nexusd installed.

import { match } from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container } from "./container.ts";

export const UNIT = "nexusd.service";
const CONFIG = "/etc/nexusd/nexusd.toml";
const WITHIN_MS = 60_000;

export interface Machine extends Container {
  property(name: string): Promise<string>;
  /** Waits until the output of the command, or of the property, is as expected; fails with the last value. */
  until(what: string, read: () => Promise<string>, expected: RegExp): Promise<string>;
  /** The lines that nexusd wrote to the journal since `mark` was called. */
  journal(options?: string): Promise<string>;
  mark(): Promise<void>;
  /** The messages that nexusd sent to systemd meanwhile, one per line. */
  notifications(meanwhile: () => Promise<void>): Promise<string>;
  /** nexusctl's output for this user, without naming a socket. */
  ctl(user: string, command: string): Promise<string>;
  /** Replaces the package's configuration except its first two tables. */
  configure(toml: string): void;
}

const BASE = `[daemon]
data_dir = "/var/lib/nexusd"
[control]
agent_socket = "/run/nexusd/agent.sock"
operator_socket = "/run/nexusd/operator.sock"
`;

export function createMachine(container: Container): Machine {
  let since = "";
  const machine: Machine = {
    ...container,
    property: async (name) => (await container.output(`systemctl show -P ${name} ${UNIT}`)).trim(),
    async until(what, read, expected) {
      const end = Date.now() + WITHIN_MS;
      for (let found = ""; ; await sleep(200)) {
        found = await read();
        if (expected.test(found)) return found;
        if (Date.now() > end) match(found, expected, `${what}: it stays ${JSON.stringify(found)}`);
      }
    },
    journal: (options = "") =>
      container.output(`journalctl -q --no-pager -o cat -u ${UNIT} ${since} ${options}`),
    async mark() {
      // Not by a cursor: with filters, journalctl 252 leaves out the first entry after it.
      since = `--since=@${(await container.output("date +%s.%6N")).trim()}`;
    },
    async notifications(meanwhile) {
      const [begin] = [
        (await container.output("date +%s.%6N")).trim(),
        await container.output("systemctl log-level debug"),
      ];
      await meanwhile();
      await container.output("systemctl log-level info");
      const said = await container.output(`journalctl -q --no-pager -o cat _PID=1 --since=@${begin}`);
      return (said.match(/^nexusd\.service: Got notification message from PID.*$/gm) ?? []).join("\n");
    },
    ctl: (user, command) => container.output(`runuser -u ${user} -- nexusctl ${command}`),
    configure: (toml) => container.put(CONFIG, BASE + toml),
  };
  return machine;
}
