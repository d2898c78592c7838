// Names from the daemon, for shell completion.

import type { CliContext } from "../context.ts";

export type NameKind =
  | "operations"
  | "reads"
  | "writes"
  | "jobs"
  | "sinks"
  | "consumers"
  | "sessions"
  | "proposed"
  | "unknown";

export type Named = [name: string | null | undefined, description: string];

/** @throws NexusdError if there is no daemon to ask */
export async function namesOf(
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
    case "sinks":
      return (await client.sinks.list(control)).sinks.map(({ name, kind }) => [name, kind]);
    case "consumers": {
      const { consumers } = await client.consumers.list({ ...control, limit: 1000 });
      return consumers.map(({ name }) => [name, ""]);
    }
    case "sessions":
      // Not their ids: anyone who reads one over a shoulder can join the session.
      return (await client.sessions(control)).sessions.map(({ alias, state }) => [alias, state]);
    case "proposed":
    case "unknown": {
      const { writes } = await client.writes.summaries({ ...control, states: [kind] });
      return writes.map(({ id, operation }) => [id, operation]);
    }
  }
}
