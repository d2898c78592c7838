// Starts the MCP server; without the rest of nexusctl where its arguments are plain. Every agent on a machine has one
// running all day: what a command line costs, it would pay for as long.

import { type Client, clientOver } from "../client/client.ts";
import { createTransport } from "../client/transport.ts";
import { readVersion } from "../config/version.ts";
import { systemClock } from "../core/clock.ts";
import { onParentGone } from "../mcp/parent.ts";
import { serveOnStdio } from "../mcp/stdio.ts";
import type { PlainStart } from "./mcp-plain.ts";
import { chooseSockets } from "./sockets.ts";

/** Serves until the client has gone; then the process ends. */
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
  // What is under way has nobody left to answer.
  process.exit();
}

const QUIET_MS = 1000;

/** What loading, or a large answer, has left is given back once nothing is asked: most of the day nothing is. */
function tidyWhenQuiet(): (() => void) | undefined {
  // There where bin/nexusctl has started it (--expose-gc).
  const { gc } = globalThis;
  if (!gc) return undefined;
  const timer = setTimeout(
    () => void gc({ type: "major", execution: "sync", flavor: "last-resort" }),
    QUIET_MS,
  );
  timer.unref();
  return () => void timer.refresh();
}

/** Where nothing else of nexusctl is loaded, and nothing has loaded the libraries yet. */
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
