// Names that only the daemon knows, for the completion of a shell.

import type { OperationSummary } from "../contract/writes.ts";
import { visible } from "../core/text/visible.ts";
import { parsed } from "./client.ts";
import type { CliContext } from "./context.ts";

export const NAME_KINDS = [
  "operations",
  "reads",
  "writes",
  "jobs",
  "consumers",
  "sessions",
  "proposed",
  "unknown",
] as const;
export type NameKind = (typeof NAME_KINDS)[number];

// A person who pressed the tab key waits for it.
const TIMEOUT_MS = 1000;

// Names come from services too, and go into a shell: one with any other character is not offered.
const SAFE = /^[A-Za-z0-9_.][\w.@+-]*$/;

type Named = [name: string | null | undefined, description: string];

/** Prints a line for each name: the name, a tab, and what it is. Prints nothing where there is no daemon to ask. */
export async function printNames({ client, io }: CliContext, kind: NameKind): Promise<void> {
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const ask = async <T>(path: string) => parsed<T>(await client.call("GET", path, { signal }));
  let names: Named[];
  try {
    names = await namesOf(kind, ask);
  } catch {
    return; // A completion that fails offers nothing; the command itself will say what is wrong.
  }
  for (const [name, description] of names)
    if (name && SAFE.test(name)) io.stdout.write(`${name}\t${visible(description)}\n`);
}

async function namesOf(kind: NameKind, ask: <T>(path: string) => Promise<T>): Promise<Named[]> {
  switch (kind) {
    case "operations":
    case "reads":
    case "writes": {
      const query = kind === "operations" ? "" : `?effect=${kind.slice(0, -1)}`;
      const operations = await ask<OperationSummary[]>(`/v1/operations${query}`);
      return operations.map(({ name, title }) => [name, title]);
    }
    case "jobs": {
      const { jobs } = await ask<{ jobs: { name: string; description: string }[] }>("/v1/jobs");
      return jobs.map(({ name, description }) => [name, description]);
    }
    case "consumers": {
      const { consumers } = await ask<{ consumers: { name: string }[] }>("/v1/consumers?limit=1000");
      return consumers.map(({ name }) => [name, ""]);
    }
    case "sessions": {
      // Not their ids: whoever reads one over a shoulder takes part in the session.
      const { sessions } = await ask<{ sessions: { alias: string | null; state: string }[] }>(
        "/v1/messaging/sessions",
      );
      return sessions.map(({ alias, state }) => [alias, state]);
    }
    case "proposed":
    case "unknown": {
      const { writes } = await ask<{ writes: { id: string; operation: string }[] }>(
        `/v1/writes?state=${kind}`,
      );
      return writes.map(({ id, operation }) => [id, operation]);
    }
  }
}
