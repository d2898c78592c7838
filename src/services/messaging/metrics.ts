// The metrics of NexusMessaging: its sessions, and how long they wait for a poll.

import { ageSeconds, keysOf, type MetricOf, single } from "../../contract/metric.ts";
import type { Histogram } from "../counts.ts";
import type { Session } from "./membership/session.ts";
import type { Known } from "./membership/sessions.ts";

export interface PolledSession {
  session: Pick<Known["session"], "state" | "joinedAt">;
  polledAtMs: Known["polledAtMs"];
}

const SESSION_STATES = keysOf<Session["state"]>({
  ...{ new: true, joining: true, joined: true, expired: true, lost: true, left: true },
});

/** @param sessions empty while NexusMessaging is disabled */
export const messagingMetrics = (
  sessions: () => readonly PolledSession[],
  pollGaps: Histogram,
): readonly MetricOf<number>[] => [
  {
    type: "gauge",
    name: "nexusd_messaging_sessions",
    help: "Sessions of NexusMessaging, by state.",
    labels: ["state"],
    samples() {
      const counts = new Map(SESSION_STATES.map((state) => [state, 0]));
      for (const {
        session: { state },
      } of sessions())
        counts.set(state, (counts.get(state) ?? 0) + 1);
      return [...counts].map(([state, value]) => ({ value, labels: { state } }));
    },
  },
  {
    type: "histogram",
    name: "nexusd_messaging_poll_gap_seconds",
    help: "Time between two polls of a session: the longest that a message waited to be polled.",
    labels: [],
    histogram: () => pollGaps,
  },
  single(
    "gauge",
    "nexusd_messaging_poll_age_max_seconds",
    "Time since the last poll, or else since the join, of the joined session that has waited longest; 0: no session is joined, or messaging is disabled.",
    (now) =>
      sessions().reduce((oldest, { session: { state, joinedAt }, polledAtMs }) => {
        if (state !== "joined") return oldest;
        const age = Number.isNaN(polledAtMs) ? ageSeconds(joinedAt, now) : (now - polledAtMs) / 1000;
        return Math.max(oldest, age);
      }, 0),
  ),
];
