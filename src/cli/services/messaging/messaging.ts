// nexusctl messaging: sessions with other agents, which the daemon polls, keeps alive and remembers.

import type { Command } from "commander";
import type { Act } from "../../context.ts";
import { addMessages } from "./messages.ts";
import { addPairs } from "./pairs.ts";
import { addPoll } from "./poll.ts";
import { addSessions } from "./sessions.ts";
import { addViews } from "./views.ts";

const NOTES = `
A session is named by its alias, its id, or the first 6 or more characters of its id.
Once nexusd is in a session it polls, renews and rejoins it by itself; what others write is in its log.

Examples:
  nexusctl messaging create --alias ops --greeting "Hello"
  nexusctl messaging pair ops                 a link for whoever is to join
  nexusctl messaging claim PEARL-FOCAL-S5SJV --alias review
  nexusctl messaging send ops "the report is ready"
  nexusctl messaging poll ops --follow        what the others write, as it comes`;

export function addMessaging(program: Command, act: Act): void {
  const messaging = program
    .command("messaging")
    .description("sessions with other agents: create, join, pair, send, poll, …")
    .addHelpText("after", NOTES);
  addSessions(messaging, act);
  addPairs(messaging, act);
  addMessages(messaging, act);
  addPoll(messaging, act);
  addViews(messaging, act);
}
