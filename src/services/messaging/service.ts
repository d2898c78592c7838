// NexusMessaging at run time: a client for each server, and the sessions, which survive a reload.

import messagingPoll from "../../../jobs/messaging-poll.ts";
import type { RecordChange } from "../../contract/shared-records.ts";
import type { StoredRecord } from "../../contract/store.ts";
import { short } from "../../core/redaction.ts";
import { createHistogram } from "../counts.ts";
import { fieldsOf } from "../input.ts";
import type { Base, RunningService, ServiceCode } from "../module.ts";
import type { Operation } from "../operation.ts";
import { createMessagingClient, isCooldown, type MessagingClient, POLL_GAP_BOUNDS } from "./client.ts";
import type { MessagingSettings } from "./config.ts";
import { messagingFacts, shownMessagingFacts } from "./facts.ts";
import { createSessionChanges, type SessionEffect, sessionKeyName } from "./membership/changes.ts";
import { describeSessions } from "./membership/describe.ts";
import { forgetEnded } from "./membership/forget.ts";
import { createImport } from "./membership/import.ts";
import { remembered, restoreSessions, storeRenamed } from "./membership/restore.ts";
import { SESSION_KIND, sessionRecord } from "./membership/session.ts";
import { createSessionSet, pollPaceMs } from "./membership/sessions.ts";
import { messagingMetrics } from "./metrics.ts";
import { messagingOperations } from "./operations/operations.ts";
import { messagingRoutes } from "./routes.ts";
import { sendToServer } from "./send.ts";
import { knownServers } from "./servers.ts";

const TIMEOUT_MS = 20_000;
/** Requests with which an agent joins a session, and gets its key. */
const ENTRY = /^\/v1\/(?:sessions|sessions\/[^/]+\/join|pair\/[^/]+\/claim)$/;

function start({ store, clock, log, redactor }: Base): RunningService<MessagingSettings, MessagingClient> {
  const pollGaps = createHistogram(POLL_GAP_BOUNDS);
  let settings: MessagingSettings;
  let client: MessagingClient | undefined;
  let stored: StoredRecord[] = [];
  /** Sessions that the configuration has changed, by their ids. */
  let changed: string[] = [];
  const current = (): MessagingClient => {
    if (client) return client;
    throw new Error("NexusMessaging is not connected yet");
  };
  // Work in progress when the configuration changes finishes with the sessions as they are afterwards.
  const changes = createSessionChanges(() => current().sessions);
  const storeChanged = () =>
    storeRenamed(changed, { changes, store, clock }).catch((err: unknown) =>
      log.error({ err }, "an alias from the configuration was not stored"),
    );
  const takeOver = () => {
    ({ changed } = restoreSessions(current().sessions, [], { messaging: settings }));
    return storeChanged();
  };
  // What another node of a fleet has made of a session. Read in turn, since it may have changed again.
  const follow = async ({ put, removed }: RecordChange) => {
    for (const sessionId of [...put.map(({ key }) => key), ...removed])
      await changes.inTurn(sessionId, async () => {
        const record = await store.readRecord(SESSION_KIND, sessionId);
        const parsed = sessionRecord.safeParse(record?.value);
        redactor.add(sessionId, short(sessionId));
        if (parsed.success) client?.sessions.put(parsed.data);
        else if (!record) client?.sessions.remove(sessionId);
      });
  };
  let isFollowing = false;

  return {
    async recall() {
      if (!isFollowing) store.shared?.watch([SESSION_KIND], follow);
      isFollowing = true;
      // What is in memory must not be older than what is stored.
      await store.shared?.look();
      stored = await store.readRecords(SESSION_KIND);
    },
    connect({ settings: configured, limits, http, budget }) {
      settings = configured;
      const { requests_per_minute: limit, reserve_per_minute: reserve, max_staleness } = settings;
      const sessions = createSessionSet({
        clock,
        paceMs: pollPaceMs(settings),
        maxStalenessMs: max_staleness,
      });
      const restored = restoreSessions(sessions, stored, { messaging: settings }, client?.sessions);
      if (restored.unreadable > 0)
        log.error({ unreadable: restored.unreadable }, "stored sessions are unreadable");
      for (const { sessionId } of sessions.all()) redactor.add(sessionId, short(sessionId));
      changed = restored.changed;
      const created = createMessagingClient(
        (origin) =>
          http({
            origin,
            timeoutMs: TIMEOUT_MS,
            isRateLimit: (error) => !isCooldown(error),
            broughtBy: ({ method, path }) =>
              method !== "GET" && ENTRY.test(path) ? "sessionKey" : undefined,
            // One address counts as one, whichever node behind it asks.
            budget: budget(origin, { limit, reserve }, settings.egress ?? store.fleet.node),
          }),
        sessions,
        pollGaps,
        clock,
        changes,
        Math.max(limits.service_answer_bytes, limits.service_answers_bytes),
      );
      client = { ...created, takeOver };
      return client;
    },
    adopt: async () => {
      // In a fleet only the node that polls the sessions changes them.
      if (!store.shared) await storeChanged();
    },
    // A poll without news is not stored at once; its estimate is kept here. In a fleet another node may be ahead.
    leave: async () => {
      if (!store.shared) await store.commitObservation(remembered(current().sessions)).catch(() => {});
    },
    async loadCredentials() {
      for (const { sessionId } of current().sessions.all()) await store.readSecret(sessionKeyName(sessionId));
    },
    facts: async () => messagingFacts(settings, current().sessions.all()),
    send: (request, sending) =>
      sendToServer(
        {
          client: current(),
          servers: knownServers(settings, current().sessions.all()),
          readKey: (sessionId) => store.readSecret(sessionKeyName(sessionId)),
        },
        request,
        sending,
      ),
    // The effects of its own operations.
    changes: {
      hold: changes.hold,
      apply: (effects, now, commit) => changes.apply(effects as readonly SessionEffect[], now, commit),
    },
    describe: () => describeSessions(settings, current().sessions),
    line(state) {
      const joined = current()
        .sessions.all()
        .filter((session) => session.state === "joined").length;
      const polling = `polling ${joined} ${joined === 1 ? "session" : "sessions"}`;
      return state === "ok" ? polling : `${polling}, NexusMessaging ${state}`;
    },
    async localView(input) {
      const { session } = fieldsOf(input);
      const known = typeof session === "string" ? current().sessions.get(session) : undefined;
      return known && { label: known.alias, fields: {}, asOf: known.lastPolledAt };
    },
    routes: messagingRoutes({
      store,
      lastPolledAt: (sessionId) => current().sessions.get(sessionId)?.lastPolledAt,
      importSessions: createImport({
        ...{ store, clock, changes },
        settings: () => settings,
        sessions: () => current().sessions,
      }),
    }),
    // A message waits for its poll no longer than this: its server does not say when it came in.
    delays: { messages: pollGaps },
    metrics: messagingMetrics(() => (settings.enabled ? current().sessions.known() : []), pollGaps),
  };
}

export const service: ServiceCode<MessagingSettings, MessagingClient> = {
  operations: messagingOperations.map((operation) => operation as Operation),
  jobs: [messagingPoll],
  shownFacts: shownMessagingFacts,
  forget: forgetEnded,
  start,
};
