// [messaging]: servers, sessions, and the request budget.

import { z } from "zod";
import { agentId, sessionAlias, sessionId } from "../../contract/api/import.ts";
import { isObject } from "../../core/is-object.ts";
import { always, duration, isLoopback, origin, positive, whole } from "../../core/settings.ts";

const session = z.strictObject({
  id: sessionId,
  alias: sessionAlias.optional(),
  base_url: origin.optional(),
});

export const messagingSettings = z
  .strictObject({
    enabled: z.boolean().default(true),
    base_url: origin.default("https://messaging.md"),
    agent_id: agentId.default("nexusd"),
    egress: z
      .string()
      .regex(/^[\w.:-]{1,63}$/, "must be a name of letters, digits, -, _, . and :, at most 63 characters")
      .optional(),
    requests_per_minute: positive.default(100),
    reserve_per_minute: whole.nonnegative().default(10),
    max_staleness: duration("60s", "1s"),
    auto_renew: z.boolean().default(true),
    auto_rejoin: z.boolean().default(true),
    members: z.boolean().default(true),
    servers: z.array(origin).default([]),
    sessions: z.array(session).default([]),
  })
  .superRefine((value: Record<string, unknown>, context) => {
    const { requests_per_minute: budget, reserve_per_minute: reserve, sessions } = value;
    if (typeof reserve === "number" && typeof budget === "number" && budget > 0 && reserve >= budget)
      context.addIssue({
        code: "custom",
        path: ["reserve_per_minute"],
        input: reserve,
        message: `must be less than requests_per_minute (${budget})`,
      });
    for (const field of ["id", "alias"]) {
      const seen = new Set<unknown>();
      (Array.isArray(sessions) ? sessions : []).forEach((entry: unknown, index) => {
        const text = isObject(entry) ? entry[field] : undefined;
        if (typeof text !== "string") return;
        if (seen.has(text))
          context.addIssue({
            code: "custom",
            path: ["sessions", index, field],
            input: text,
            message: `must differ from the ${field} of the sessions before it`,
          });
        seen.add(text);
      });
    }
  }, always);

export type MessagingSettings = z.output<typeof messagingSettings>;

/** Anyone who can read a session's id can join it; an id on a server of this machine is no risk. */
export const secretIn = ({ sessions, base_url }: MessagingSettings): string | null =>
  sessions.some(({ base_url: own = base_url }) => !isLoopback(new URL(own).hostname)) ? "sessions" : null;
