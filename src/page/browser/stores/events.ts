// The events on the screen: the newest as they arrive, or a page of older ones. Their number is limited, however long
// the log is and however long this runs.

import { computed, effect, signal } from "@preact/signals";
import type { EventPageView } from "../../../contract/api/events.ts";
import { get, wordsOf } from "../lib/api.ts";
import { eventWords } from "../lib/event-words.ts";
import { type LogEvent, onConnected, onEvent, onOtherLog, status } from "./connection.ts";
import { route } from "./route.ts";

export interface ShownEvent extends LogEvent {
  time: string;
  words: string;
}

const PAGE = 500;
const MOST = { events: 1000, characters: 2_000_000 };
/** Longer events are cut here; the API has all of it. */
const LONGEST = 100_000;
/** The screen is updated this often, however much arrives. */
const DRAWN_EVERY_MS = 250;

/** Newest first. */
const live = signal<readonly ShownEvent[]>([]);
const paged = signal<readonly ShownEvent[] | undefined>(undefined);
export const eventsProblem = signal("");
export const search = signal("");
export const family = signal("");

export const isLive = computed(() => paged.value === undefined);
/** The sequence before the oldest one shown; 0: there are none before. */
export const before = computed(() => {
  const oldest = (paged.value ?? live.value).at(-1)?.sequence ?? 0;
  return oldest > (status.value?.log.oldest ?? 1) ? oldest - 1 : 0;
});
const all = computed(() => paged.value ?? live.value);
export const families = computed(() => [...new Set(all.value.map(({ type }) => familyOf(type)))].sort());
export const shown = computed(() => {
  const wanted = search.value.trim().toLowerCase();
  return all.value.filter(
    ({ type, json }) =>
      (family.value === "" || familyOf(type) === family.value) &&
      (wanted === "" || type.includes(wanted) || json.toLowerCase().includes(wanted)),
  );
});

const familyOf = (type: string): string => type.split(".", 1)[0] ?? type;

export function startEvents(): void {
  let waiting: LogEvent[] = [];
  onEvent((event) => {
    waiting.push(event);
    if (waiting.length > MOST.events) waiting = waiting.slice(-MOST.events);
    if (waiting.length === 1) setTimeout(take, DRAWN_EVERY_MS);
  });
  const take = () => {
    const fresh = waiting.reverse().map(asShown);
    waiting = [];
    const known = live.value[0]?.sequence ?? 0;
    live.value = bounded([...fresh.filter(({ sequence }) => sequence > known), ...live.value]);
  };
  onOtherLog(() => {
    live.value = [];
    paged.value = undefined;
    isRead = false;
  });
  // Only once they are looked at. Everything after this page comes by the stream, after a reconnect as well.
  const isWanted = () => route.value.view === "events" && !isRead;
  const read = async (abort?: AbortSignal) => {
    const upTo = (live.peek().at(-1)?.sequence ?? (status.peek()?.log.latest ?? 0) + 1) - 1;
    const page = await readPage(Math.max(0, upTo - PAGE), abort);
    const known = page[0]?.sequence ?? 0;
    live.value = bounded([...live.peek().filter(({ sequence }) => sequence > known), ...page]);
    isRead = true;
  };
  onConnected(async (abort) => {
    if (isWanted()) await read(abort);
  });
  effect(() => {
    if (!isWanted() || !status.peek()) return;
    read().then(
      () => (eventsProblem.value = ""),
      (error: unknown) => (eventsProblem.value = wordsOf(error)),
    );
  });
}

/** Whether the page that the stream continues was read. */
let isRead = false;

/** Shows the events up to a sequence instead of the newest. */
export async function showOlder(upTo: number): Promise<void> {
  try {
    const page = await readPage(Math.max(0, upTo - PAGE));
    paged.value = page.filter(({ sequence }) => sequence <= upTo);
    eventsProblem.value = "";
  } catch (error) {
    eventsProblem.value = wordsOf(error);
  }
}

export const showNewest = (): void => {
  paged.value = undefined;
};

async function readPage(after: number, signal?: AbortSignal): Promise<ShownEvent[]> {
  const { events } = await get<EventPageView>(`/v1/events?after=${after}&limit=${PAGE}`, signal);
  return events
    .map((event) => {
      const type = event.type.replace(/^nexusd\./, "");
      return asShown({ sequence: Number(event.sequence), type, json: JSON.stringify(event) });
    })
    .reverse();
}

function asShown({ sequence, type, json }: LogEvent): ShownEvent {
  const { time }: { time: string } = JSON.parse(json); // the log's own contract
  const kept = json.length > LONGEST ? `${json.slice(0, LONGEST).toWellFormed()}…` : json;
  return { sequence, type, time, words: eventWords(json), json: kept };
}

function bounded(events: ShownEvent[]): ShownEvent[] {
  let characters = 0;
  const at = events.findIndex(({ json, words }) => {
    characters += json.length + words.length;
    return characters > MOST.characters;
  });
  return events.slice(0, Math.min(at < 0 ? events.length : Math.max(1, at), MOST.events));
}
