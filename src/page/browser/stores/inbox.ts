// The proposals that await a decision, and those decided while they were on the screen.

import { batch, computed, signal } from "@preact/signals";
import type { WriteSummaryView } from "../../../contract/api/writes.ts";
import type { WriteStep } from "../../../contract/new-event.ts";
import { get } from "../lib/api.ts";
import { announce } from "./announce.ts";
import { ring } from "./bell.ts";
import { onConnected, onEvent, onOtherLog } from "./connection.ts";

export interface Row {
  write: WriteSummaryView;
  /** How it ended since it was shown; undefined: it is open. */
  ended: WriteStep | undefined;
}

interface Page {
  writes: WriteSummaryView[];
  next: string | null;
}

/** Of the proposals that arrive while the page is open, only the newest are read. */
const PAGE = { all: 500, new: 50 };
/** Decided ones stay in place, so that nothing moves under the pointer; but only this many. */
const MOST_ENDED = 100;

const rows = signal<ReadonlyMap<string, Row>>(new Map());
export const isInboxRead = signal(false);

/** Oldest first: new ones are added at the end, and move nothing. */
export const inbox = computed(() => [...rows.value.values()].sort(byProposal));
export const openCount = computed(() => inbox.value.filter(({ ended }) => !ended).length);

export const sweepInbox = (): void => {
  rows.value = new Map([...rows.value].filter(([, { ended }]) => !ended));
};

let isReading = false;
/** Decided while a page was being read: the page may still list them as open. */
const endedMeanwhile = new Map<string, WriteStep>();

export function startInbox(): void {
  onConnected((signal) => read("all", signal));
  onOtherLog(() => {
    rows.value = new Map();
  });
  onEvent(({ type, json }) => {
    if (!type.startsWith("write.")) return;
    const { data }: { data: WriteStep } = JSON.parse(json); // the log's own contract
    if (type === "write.proposed") readSoon();
    else if (data.state !== "proposed") end(data);
  });
}

let isWaiting = false;
/** Once per burst. */
function readSoon(): void {
  if (isWaiting) return;
  isWaiting = true;
  setTimeout(() => {
    isWaiting = false;
    // If it fails, so does the stream, and everything is reloaded.
    read("new").catch(() => {});
  }, 50);
}

async function read(what: "all" | "new", abort?: AbortSignal): Promise<void> {
  isReading = true;
  const found: WriteSummaryView[] = [];
  try {
    for (let after = ""; ; ) {
      const query = `state=proposed&view=summary&limit=${PAGE[what]}${after && `&after=${after}`}`;
      const page = await get<Page>(`/v1/writes?${query}`, abort);
      found.push(...page.writes);
      if (!page.next || (what === "new" && page.writes.some(({ id }) => rows.value.has(id)))) break;
      after = page.next;
    }
  } finally {
    isReading = false;
  }
  const known = rows.value;
  const isFirst = !isInboxRead.value;
  const next = new Map(known);
  for (const write of found) next.set(write.id, { write, ended: endedMeanwhile.get(write.id) });
  endedMeanwhile.clear();
  if (what === "all") settle(next, new Set(found.map(({ id }) => id)));
  const fresh = found.filter(({ id }) => !known.has(id) && !next.get(id)?.ended);
  batch(() => {
    rows.value = next;
    isInboxRead.value = true;
  });
  const [first, ...others] = fresh;
  if (!first || isFirst) return;
  announce(others.length > 0 ? `${fresh.length} new proposals` : `New proposal: ${first.about}`);
  ring();
}

/** Marks those that are no longer open because of missed events. */
function settle(next: Map<string, Row>, open: ReadonlySet<string>): void {
  for (const [id, { write, ended }] of next)
    if (!ended && !open.has(id)) next.set(id, { write, ended: unseen(write) });
}

const unseen = ({ id, operation, digest, agent, reason }: WriteSummaryView): WriteStep => ({
  ...{ writeId: id, operation, digest, agent, reason },
  ...{ state: "closed", note: null, error: null },
});

function end(step: WriteStep): void {
  const row = rows.value.get(step.writeId);
  if (isReading) endedMeanwhile.set(step.writeId, step);
  if (!row) return;
  const next = new Map(rows.value).set(step.writeId, { write: row.write, ended: step });
  const ended = [...next.values()].filter((one) => one.ended);
  for (const { write } of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) next.delete(write.id);
  rows.value = next;
}

const byProposal = (a: Row, b: Row) =>
  a.write.proposedAt === b.write.proposedAt
    ? a.write.id < b.write.id
      ? -1
      : 1
    : a.write.proposedAt < b.write.proposedAt
      ? -1
      : 1;
