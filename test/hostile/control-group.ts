// The memory of the unit's MemoryMax=: a control group of the kernel, if this process may create one.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LIMIT_MIB = 512;
/** Of a heap where there is no control group: what V8 takes for its own where there is one of this size. */
const HEAP_MIB = 256;

export interface ControlGroup {
  /** Whether the kernel enforces it. */
  isEnforced: boolean;
  /** Prefix for a command, which then runs in the group, or with the smaller heap. */
  wrap(command: readonly string[]): { command: string; args: string[]; env: Record<string, string> };
  /** How often the kernel killed a process in it. */
  kills(): number;
  remove(): void;
}

let made = 0;

/** Remove it once all processes in it have ended. */
export function makeControlGroup(): ControlGroup {
  const directory = makeDirectory();
  if (directory === undefined)
    return {
      isEnforced: false,
      wrap: ([command = "", ...args]) => ({
        ...{ command, args },
        env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` },
      }),
      kills: () => 0,
      remove: () => {},
    };
  return {
    isEnforced: true,
    wrap: (command) => ({
      command: "/bin/sh",
      args: ["-c", `echo $$ >'${directory}/cgroup.procs'; exec "$@"`, "sh", ...command],
      env: {},
    }),
    kills() {
      const file = [`${directory}/memory.events`, `${directory}/memory.oom_control`].find(existsSync);
      return Number(/^oom_kill (\d+)$/m.exec(file ? readFileSync(file, "utf8") : "")?.[1] ?? 0);
    },
    remove: () => rmdirSync(directory),
  };
}

/** The parents of versions 1 and 2, as usually mounted, and the names of their limits. */
const KINDS = [
  { parent: "/sys/fs/cgroup/memory", limits: ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] },
  { parent: "/sys/fs/cgroup", limits: ["memory.max"] },
];

function makeDirectory(): string | undefined {
  for (const { parent, limits } of KINDS) {
    const directory = join(parent, `nexusd-hostile-${process.pid}-${made++}`);
    const [limit = ""] = limits;
    try {
      mkdirSync(directory);
    } catch {
      continue;
    }
    try {
      if (!existsSync(join(directory, limit))) throw new Error("no controller of memory");
      for (const file of limits.filter((name) => existsSync(join(directory, name))))
        writeFileSync(join(directory, file), `${LIMIT_MIB * 2 ** 20}`);
      return directory;
    } catch {
      rmdirSync(directory);
    }
  }
  return undefined;
}
