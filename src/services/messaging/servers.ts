// The NexusMessaging servers that nexusd talks to: those of the configuration, and those of its sessions. No other, so
// that a proposal cannot make it call an arbitrary address.

import { OperationError } from "../operation.ts";
import type { MessagingSettings } from "./config.ts";

/** Origins, the configured one first. */
export const knownServers = (
  { base_url, servers, sessions: configured }: MessagingSettings,
  sessions: readonly { baseUrl: string }[],
): string[] => [
  ...new Set([
    base_url,
    ...servers,
    ...configured.flatMap((session) => session.base_url ?? []),
    ...sessions.map(({ baseUrl }) => new URL(baseUrl).origin),
  ]),
];

/**
 * The origin for a URL on it, or for its host.
 * @throws OperationError `refused` if it is none of `known`
 */
export function findServer(known: readonly string[], name: string): string {
  const origin = URL.parse(name)?.origin;
  const found = known.find((server) => server === origin || new URL(server).host === name);
  if (found !== undefined) return found;
  throw new OperationError(
    "refused",
    `nexusd does not use this server. It knows ${known.join(", ")}; add others to messaging.servers.`,
  );
}
