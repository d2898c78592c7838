// The operations of Nexus against real PostgREST, for several test files.

import { afterAll, afterEach, beforeAll } from "vitest";
import { SANDBOX_ENV } from "../../../sandbox/args.ts";
import { type NexusServer, startNexus } from "../../../sandbox/nexus.ts";
import { type Bench, createBench } from "./support.ts";

export type Row = Record<string, unknown>;

export interface NexusBench {
  readonly server: NexusServer;
  readonly bench: Bench;
  /** The arguments of each call of an acting function. */
  actions(name: string): Promise<Row[]>;
}

/** Starts and stops with the file's tests; its parts exist from the first test on. */
export function useNexus(): NexusBench {
  let parts: { server: NexusServer; bench: Bench } | undefined;
  const started = () => {
    if (!parts) throw new Error("Nexus is started before the first test");
    return parts;
  };
  beforeAll(async () => {
    const server = await startNexus({
      apiKey: SANDBOX_ENV.NEXUS_API_KEY,
      anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
      rateLimit: null,
    });
    const bench = createBench({
      nexus: server.url,
      nexusApiKey: SANDBOX_ENV.NEXUS_API_KEY,
      nexusAnonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    });
    parts = { server, bench };
    await server.ready;
    await bench.learnOrganization();
  });
  afterAll(() => parts?.server.close());
  afterEach(() => parts?.server.clearFaults());
  return {
    get server() {
      return started().server;
    },
    get bench() {
      return started().bench;
    },
    async actions(name) {
      const answer = await fetch(`${started().server.url}/_control`);
      const { actions } = (await answer.json()) as { actions: { name: string; body: Row }[] };
      return actions.filter((action) => action.name === name).map(({ body }) => body);
    },
  };
}

/** The error of a call that must fail. */
export const refusal = (promise: Promise<unknown>): Promise<Error & { code: string; status?: number }> =>
  promise.then(
    () => Promise.reject(new Error("it was not refused")),
    (error) => error,
  );
