// Starts the MCP server; with plain arguments, without the rest of nexusctl. Every agent on a machine keeps one running
// all day, and would pay for the command line as long.

import { type Client, clientOver } from "../client/client.ts";
import { createTransport } from "../client/transport.ts";
import { readVersion } from "../config/version.ts";
import { systemClock } from "../core/clock.ts";
import { onParentGone } from "../mcp/parent.ts";
import { serveOnStdio } from "../mcp/stdio.ts";
import type { PlainStart } from "./mcp-plain.ts";
import { chooseSockets } from "./sockets.ts";

/** Serves until the client is gone; then the process exits. */
export async function serveMcp(
  client: Client,
  consumer: string | undefined,
  signal: AbortSignal,
): Promise<never> {
  const server = serveOnStdio({
    ...{ client, consumer, version: readVersion() },
    ...{ clock: systemClock, random: Math.random, onMessage: tidyWhenQuiet() },
  });
  onParentGone(() => process.exit());
  const stop = () => void server.close();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  await server.ended;
  // Calls in progress have no client left to answer.
  process.exit();
}

const QUIET_MS = 1000;

/** Collects garbage from loading, or from a large answer, once idle: the server is idle most of the day. */
function tidyWhenQuiet(): (() => void) | undefined {
  // Available if bin/nexusctl started it (--expose-gc).
  const { gc } = globalThis;
  if (!gc) return undefined;
  const timer = setTimeout(
    () => void gc({ type: "major", execution: "sync", flavor: "last-resort" }),
    QUIET_MS,
  );
  timer.unref();
  return () => void timer.refresh();
}

/** For a start without the rest of nexusctl, before the libraries are loaded. */
export async function startPlain(
  { options, consumer }: PlainStart,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<never> {
  const note = (text: string) => process.stderr.write(`nexusctl: ${text}\n`);
  const transport = createTransport(chooseSockets(options, env, note), { keepAlive: true });
  const client = clientOver(transport, { clock: systemClock, random: Math.random });
  return await serveMcp(client, consumer, signal);
}
