/** The sandbox's made-up credentials and fixed ports, and the flags of `npm run sandbox`. */

import { parseArgs } from "node:util";

/** The single messaging session that the sandbox starts with. */
export const SANDBOX_SESSION_ID = "5a".repeat(24);

/** Environment variables with the daemon's credentials; the values are valid nowhere else. */
export const SANDBOX_ENV = {
  NEX_API_KEY: "sk-sandbox-made-up-key-that-opens-nothing",
  NEXUS_API_KEY: `nxs_ak_sandbox${"0".repeat(41)}`,
  NEXUS_ANON_KEY: "sb_publishable_sandbox_made_up_key",
};

export interface SandboxPorts {
  messaging: number;
  nex: number;
  nexus: number;
}

/** The ports that `config/sandbox.toml` names. */
export const SANDBOX_PORTS: SandboxPorts = { messaging: 18461, nex: 18462, nexus: 18463 };

export interface SandboxArgs {
  /** 0 takes any free port. */
  ports: SandboxPorts;
  quietLife: boolean;
}

export const usage =
  "usage: npm run sandbox -- [--quiet-life] [--messaging-port N] [--nex-port N] [--nexus-port N]";

/** Throws an Error whose message says what is wrong with the flags. */
export function readArgs(
  args: string[],
  defaults: SandboxPorts = { messaging: 0, nex: 0, nexus: 0 },
): SandboxArgs {
  const { values } = parseArgs({
    args,
    options: {
      "quiet-life": { type: "boolean", default: false },
      "messaging-port": { type: "string", default: String(defaults.messaging) },
      "nex-port": { type: "string", default: String(defaults.nex) },
      "nexus-port": { type: "string", default: String(defaults.nexus) },
    },
  });
  const port = (flag: "messaging-port" | "nex-port" | "nexus-port") => {
    const value = Number(values[flag]);
    if (/^\d+$/.test(values[flag]) && value <= 65_535) return value;
    throw new Error(`--${flag} must be a port number, 0 to 65535, and is "${values[flag]}"`);
  };
  return {
    ports: { messaging: port("messaging-port"), nex: port("nex-port"), nexus: port("nexus-port") },
    quietLife: values["quiet-life"],
  };
}
