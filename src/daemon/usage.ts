// What the command nexusd takes, as its help and its page say it.

/** As parseArgs takes them. */
export const OPTIONS = {
  config: { type: "string" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Each way to call it: what follows the name, and what that does. */
export const WAYS = [
  ["[--config FILE]", "run the daemon"],
  ["check [--config FILE]", "list every problem of the configuration"],
  ["--version | --help", ""],
] as const;

export const CONFIG_PLACES =
  "The configuration is found at --config, $NEXUSD_CONFIG, /etc/nexusd/nexusd.toml, config/nexusd.toml.";

const WIDEST = Math.max(...WAYS.map(([way]) => way.length));

const lines = WAYS.map(([way, what], index) =>
  `${index === 0 ? "Usage:" : "      "} nexusd ${way.padEnd(WIDEST + 3)}${what}`.trimEnd(),
);

export const USAGE = `${lines.join("\n")}\n\n${CONFIG_PLACES}\n`;
