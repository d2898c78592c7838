// Whether `nexusctl mcp` was started with only plain arguments, as runtimes do.

import { CONSUMER_NAME } from "../contract/consumer-name.ts";
import type { GlobalOptions } from "./sockets.ts";

export interface PlainStart {
  options: GlobalOptions;
  consumer: string | undefined;
}

const VALUES = new Set(["--socket", "--config", "--consumer"]);

/** The options of a plain `mcp` call; undefined: the whole command line has to parse it. */
export function plainStart(argv: readonly string[]): PlainStart | undefined {
  const given = new Map<string, string>();
  let isMcp = false;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const value = argv[at + 1];
    if (VALUES.has(word) && value !== undefined && !value.startsWith("-") && !given.has(word)) {
      // Its own option comes after the command, as on the whole command line.
      if (word === "--consumer" && !isMcp) return undefined;
      given.set(word, value);
      at++;
    } else if (word === "mcp" && !isMcp) isMcp = true;
    else return undefined;
  }
  const [socket, config, consumer] = ["--socket", "--config", "--consumer"].map((name) => given.get(name));
  if (!isMcp || (consumer !== undefined && !CONSUMER_NAME.test(consumer))) return undefined;
  return {
    options: { ...(socket !== undefined && { socket }), ...(config !== undefined && { config }) },
    consumer,
  };
}
