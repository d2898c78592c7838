// The write that is open: everything known about it, and its steps meanwhile.

import { effect, signal } from "@preact/signals";
import type { WriteReviewView } from "../../../contract/api/writes.ts";
import type { WriteStep } from "../../../contract/new-event.ts";
import { get, Refused, wordsOf } from "../lib/api.ts";
import { stepWords } from "../lib/steps.ts";
import { announce } from "./announce.ts";
import { onConnected, onEvent } from "./connection.ts";
import { route } from "./route.ts";

export interface Opened {
  id: string;
  review: WriteReviewView | undefined;
  /** The last step since it was opened. */
  step: WriteStep | undefined;
  /** Why it cannot be shown. */
  problem: string;
}

export const opened = signal<Opened | undefined>(undefined);

/** Decisions made on this page, to tell them from those of others. */
const ownDecisions = new Set<string>();
export const rememberOwn = (id: string): Set<string> => ownDecisions.add(id);
export const isOwn = (id: string): boolean => ownDecisions.has(id);

export function startReview(): void {
  effect(() => {
    const { view, id } = route.value;
    if (view !== "inbox" || !id) {
      opened.value = undefined;
      return;
    }
    if (opened.peek()?.id === id) return;
    opened.value = { id, review: undefined, step: undefined, problem: "" };
    void read(id);
  });
  onConnected(async (signal) => {
    const id = opened.value?.id;
    if (id) await read(id, signal);
  });
  onEvent(({ type, json }) => {
    if (!opened.value || !type.startsWith("write.") || type === "write.proposed") return;
    const { data }: { data: WriteStep } = JSON.parse(json); // the log's own contract
    if (data.writeId !== opened.value.id) return;
    opened.value = { ...opened.value, step: data };
    announce(stepWords(data));
    void read(data.writeId);
  });
}

/** @throws what `get` throws, if a signal is given: then a caller waits for it */
async function read(id: string, signal?: AbortSignal): Promise<void> {
  const take = (what: Partial<Opened>) => {
    if (opened.value?.id === id) opened.value = { ...opened.value, ...what };
  };
  try {
    take({
      review: await get<WriteReviewView>(`/v1/writes/${encodeURIComponent(id)}/review`, signal),
      problem: "",
    });
  } catch (error) {
    // If the daemon is unreachable, the screen stays as it is, and is marked as stale.
    if (error instanceof Refused) take({ problem: wordsOf(error) });
    else if (signal) throw error;
  }
}
