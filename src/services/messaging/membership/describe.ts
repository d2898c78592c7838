// The status of NexusMessaging: the sessions by state, and the configured ones that nexusd is not in.

import { short } from "../../../core/redaction.ts";
import type { Description } from "../../module.ts";
import type { MessagingSettings } from "../config.ts";
import type { SessionSet } from "./sessions.ts";

export function describeSessions(settings: MessagingSettings, sessions: SessionSet): Description {
  const states: Record<string, number> = {};
  for (const { state } of sessions.all()) states[state] = (states[state] ?? 0) + 1;
  const notJoined = settings.enabled
    ? settings.sessions
        .filter(({ id }) => sessions.get(id)?.state !== "joined")
        // By their aliases: ids are secrets.
        .map(({ id, alias }) => alias ?? short(id))
    : [];
  return {
    sessions: states,
    notJoined,
    attention: notJoined.map((name) => ({
      code: "session",
      detail: `nexusd is not in the configured session ${name}: nexusctl messaging ls says why`,
      remedy: "Join it again, or remove it from [[messaging.sessions]].",
    })),
  };
}
