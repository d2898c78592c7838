// The sinks as the daemon runs them: those of the configuration, with their secrets and connections.

import type { Dispatcher } from "undici";
import { secretsOwner } from "../config/references.ts";
import { createDispatcher } from "../http/dispatcher.ts";
import { createHttpClient } from "../http/transport.ts";
import { createSinks, type Sinks, type SinksConfig, type SinksOptions } from "../sinks/sinks.ts";
import type { Running } from "./reload.ts";

/** An answer to a wake is a word or two. */
const LONGEST_ANSWER = 64 * 1024;
const CONNECTIONS = 4;

export function startSinks(
  options: Omit<SinksOptions, "http"> & { scrub: (text: string) => string; hide: <T>(value: T) => T },
): Sinks {
  const { clock, version, scrub, hide } = options;
  let dispatcher: Dispatcher | undefined;
  return createSinks({
    ...options,
    http(own) {
      dispatcher ??= createDispatcher({ connections: CONNECTIONS });
      return createHttpClient({
        ...{ service: "sink", clock, dispatcher, scrub, hide },
        ...{ userAgent: `nexusd/${version}`, maxBytes: LONGEST_ANSWER, ...own },
      });
    },
  });
}

/** What the sinks are configured with. */
export const sinksConfig = ({ config, secrets }: Pick<Running, "config" | "secrets">): SinksConfig => ({
  sinks: config.sinks,
  secrets: (sink) =>
    Object.fromEntries(
      Object.entries(secrets[secretsOwner(sink)] ?? {}).map(([key, secret]) => [key, secret.reveal()]),
    ),
});
