// Operations on aliases, nexusd's names for sessions. No server is told, but they are recorded like any other write.

import { z } from "zod";
import { sessionAlias } from "../../../contract/api/import.ts";
import { OperationError } from "../../operation.ts";
import { defineOperation, type SessionFacts } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import { assertNamesNoOther, inFull, session } from "./common.ts";

/** Gives the session the alias in place of its previous one, or removes it. */
const renamed = (sessionId: string, name: string | null): SessionEffect => ({
  sessionId,
  change: (current) =>
    current && current.alias !== name ? { session: { ...current, alias: name }, events: [] } : undefined,
});

const holdersOf = (sessions: readonly SessionFacts[], name: string) =>
  sessions.filter((known) => known.alias === name).map(({ sessionId }) => sessionId);

const upsertAlias = defineOperation({
  name: "messaging.aliases.upsert",
  service: "messaging",
  effect: "write",
  idempotent: true,
  title: "Name a session",
  description:
    "Gives a session an alias, replacing its previous one; another session that had this alias " +
    "loses it. An alias from the configuration comes back at the next start.",
  input: z.lazy(() => z.strictObject({ alias: sessionAlias.describe("The new alias"), session })),
  normalize: (input, facts) => {
    if (facts.sessions.some(({ sessionId }) => sessionId === input.alias))
      throw new OperationError("refused", "This is a session's id: choose another alias.");
    const full = inFull(input, facts);
    assertNamesNoOther(full.alias, facts, full.session);
    return full;
  },
  output: (_answer, { alias, session }) => ({ alias, sessionId: session }),
  effects: (_answer, { alias, session }, facts) => [
    ...holdersOf(facts.sessions, alias)
      .filter((id) => id !== session)
      .map((id) => renamed(id, null)),
    renamed(session, alias),
  ],
  target: () => "messaging/aliases",
});

const deleteAlias = defineOperation({
  name: "messaging.aliases.delete",
  service: "messaging",
  effect: "write",
  idempotent: true,
  title: "Remove an alias",
  description:
    "Removes an alias; the session stays. An alias from the configuration comes back at the next " + "start.",
  input: z.lazy(() => z.strictObject({ alias: sessionAlias.describe("The alias to remove") })),
  normalize: (input, facts) => {
    if (holdersOf(facts.sessions, input.alias).length > 0) return input;
    throw new OperationError("session_not_found", `No session has the alias ${input.alias}.`);
  },
  output: (_answer, { alias }) => ({ alias }),
  effects: (_answer, { alias }, facts) => holdersOf(facts.sessions, alias).map((id) => renamed(id, null)),
  target: () => "messaging/aliases",
});

export const aliasOperations = [upsertAlias, deleteAlias] as const;
