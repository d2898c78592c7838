// Whether `nexusctl mcp` was started with nothing but plain arguments, as runtimes start it.

import { CONSUMER_NAME } from "../contract/consumer-name.ts";
import type { GlobalOptions } from "./sockets.ts";

export interface PlainStart {
  options: GlobalOptions;
  consumer: string | undefined;
}

const VALUES = new Set(["--socket", "--config", "--consumer"]);

/** What `mcp` is started with, where there is nothing else to say; undefined: it is for the whole command line. */
export function plainStart(argv: readonly string[]): PlainStart | undefined {
  const given = new Map<string, string>();
  let isMcp = false;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const value = argv[at + 1];
    if (VALUES.has(word) && value !== undefined && !value.startsWith("-") && !given.has(word)) {
      // Its own option comes behind the command, as the command line would have it.
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
