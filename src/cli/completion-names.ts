// Names that only the daemon knows, for the completion of a shell.

import { visible } from "../core/text/visible.ts";
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
  let names: Named[];
  try {
    names = await namesOf(kind, client, { signal });
  } catch {
    return; // A completion that fails offers nothing; the command itself will say what is wrong.
  }
  for (const [name, description] of names)
    if (name && SAFE.test(name)) io.stdout.write(`${name}\t${visible(description)}\n`);
}

async function namesOf(
  kind: NameKind,
  client: CliContext["client"],
  control: { signal: AbortSignal },
): Promise<Named[]> {
  switch (kind) {
    case "operations":
      return (await client.operations(control)).map(({ name, title }) => [name, title]);
    case "reads":
    case "writes": {
      const effect = kind === "reads" ? "read" : "write";
      return (await client.operations({ ...control, effect })).map(({ name, title }) => [name, title]);
    }
    case "jobs":
      return (await client.jobs.list(control)).jobs.map(({ name, description }) => [name, description]);
    case "consumers": {
      const { consumers } = await client.consumers.list({ ...control, limit: 1000 });
      return consumers.map(({ name }) => [name, ""]);
    }
    case "sessions":
      // Not their ids: whoever reads one over a shoulder takes part in the session.
      return (await client.sessions(control)).sessions.map(({ alias, state }) => [alias, state]);
    case "proposed":
    case "unknown": {
      const { writes } = await client.writes.summaries({ ...control, states: [kind] });
      return writes.map(({ id, operation }) => [id, operation]);
    }
  }
}
