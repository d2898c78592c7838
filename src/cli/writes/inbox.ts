// The proposals that await a decision: read from the daemon once, then updated by its events.

import { NexusdError } from "../../client/error.ts";
import type { SummaryPage } from "../../client/writes.ts";
import { TYPE_PREFIX, type WriteStep } from "../../contract/new-event.ts";
import type { WriteSummary } from "../../contract/writes.ts";
import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import type { CliContext } from "../context.ts";
import { follow } from "../events/follow.ts";

/** The daemon's limit per request. Of the proposals that arrive while the inbox is open, only the newest are read. */
const PAGE = { all: 1000, new: 50 };
const AGAIN_AFTER_MS = 1000;

export interface InboxOptions {
  clock: Clock;
  signal: AbortSignal;
  /** All pending ones, oldest first. */
  onWrites(writes: WriteSummary[]): void;
  /** Every step of any write except its proposal. */
  onStep(step: WriteStep): void;
  /** The daemon is unavailable, or back. */
  onNote(text: string): void;
}

/**
 * Resolves when the signal aborts.
 * @throws NoDaemon if there is none at the start, Failed if the daemon refuses
 */
export async function keepInbox({ client, transport }: CliContext, options: InboxOptions): Promise<void> {
  const { clock, signal, onWrites, onStep, onNote } = options;
  const known = new Map<string, WriteSummary>();
  const publish = () => onWrites([...known.values()].sort(byProposal));
  let isPublishing = false;
  /** Once per burst: thousands of events must not each sort and redraw the list. */
  const publishSoon = () => {
    if (isPublishing) return;
    isPublishing = true;
    setImmediate(() => {
      isPublishing = false;
      if (!signal.aborted) publish();
    });
  };

  /** Reads the newest ones up to the first known one; with `all`, the whole list again. */
  const read = async (all: boolean) => {
    const found: WriteSummary[] = [];
    let after: string | null = null;
    do {
      const page: SummaryPage = await client.writes.summaries({
        ...{ states: ["proposed"], limit: all ? PAGE.all : PAGE.new, after: after ?? undefined },
        ...{ role: "operator", signal },
      });
      found.push(...page.writes);
      after = page.next;
      if (!all && page.writes.some(({ id }) => known.has(id))) break;
    } while (after !== null);
    if (all) known.clear();
    for (const write of found) known.set(write.id, write);
    publish();
  };

  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  let wanted: "nothing" | "new" | "all" = "nothing";
  let isReading = false;

  /** One read at a time, and another one for requests made meanwhile; waits for a daemon that is unavailable. */
  const refresh = async (what: "new" | "all") => {
    if (wanted !== "all") wanted = what;
    if (isReading) return;
    isReading = true;
    while (wanted !== "nothing" && !signal.aborted) {
      const all = wanted === "all";
      wanted = "nothing";
      try {
        await read(all);
      } catch (error) {
        if (signal.aborted) break;
        if (!(error instanceof NexusdError)) {
          fail(error);
          break;
        }
        onNote(error.message);
        // Decisions made while it was unavailable are unknown here, so everything is read again.
        wanted = "all";
        await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => {});
      }
    }
    isReading = false;
  };

  // The position first, then the list: what happens in between is in the list, and arrives again as an event.
  const { latest, epoch } = await client.readEvents({ limit: 1, role: "operator", signal });
  await read(true);
  const following = follow({
    ...{ transport, clock, signal, epoch, after: latest, role: "operator", wasThere: true },
    random: Math.random,
    types: ["write.*"],
    onNote(text) {
      onNote(text);
      void refresh("all");
    },
    async onEvent(json) {
      const step = stepOf(json);
      if (!step) return true;
      if (step.state === "proposed") void refresh("new");
      else {
        // A page that was requested before this event may still list it as proposed.
        if (isReading) void refresh("all");
        if (known.delete(step.writeId)) publishSoon();
        onStep(step);
      }
      return !signal.aborted;
    },
  });
  await Promise.race([following, failed]);
}

const byProposal = (a: WriteSummary, b: WriteSummary) =>
  a.proposedAt === b.proposedAt ? (a.id < b.id ? -1 : 1) : a.proposedAt < b.proposedAt ? -1 : 1;

function stepOf(json: string): WriteStep | undefined {
  const event = parseJson(json) as { type: string; data: WriteStep }; // the log's own contract
  return event.type.startsWith(`${TYPE_PREFIX}write.`) ? event.data : undefined;
}
