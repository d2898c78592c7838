// Which NexusMessaging servers nexusd talks to: those of the configuration, and those of its sessions. No other, so
// that nobody who can propose a write can make it call an address of his choice.

import { OperationError } from "../operation.ts";
import type { MessagingSettings } from "./config.ts";

/** Origins, the one of the configuration first. */
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
 * The origin that is meant by a URL on it, or by its host.
 * @throws OperationError `refused` where it is none of `known`
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
