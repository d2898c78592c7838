// The daemon's own measurements over the last hour, day or month.

import { effect, signal } from "@preact/signals";
import type { HistoryView } from "../../../contract/api/history.ts";
import { get, wordsOf } from "../lib/api.ts";
import { onConnected } from "./connection.ts";
import { route } from "./route.ts";

export const RANGES = ["hour", "day", "month"] as const;
export type Range = (typeof RANGES)[number];

const EVERY_MS = 30_000;

export const range = signal<Range>("hour");
export const history = signal<HistoryView | undefined>(undefined);
export const historyProblem = signal("");

export function startHistory(): void {
  const isShown = () => route.value.view === "plots";
  effect(() => {
    if (!isShown()) return;
    const read = () => void readHistory(range.peek());
    void readHistory(range.value);
    const timer = setInterval(read, EVERY_MS);
    return () => clearInterval(timer);
  });
  onConnected(async () => {
    if (isShown()) await readHistory(range.value);
  });
}

async function readHistory(wanted: Range): Promise<void> {
  try {
    const read = await get<HistoryView>(`/v1/history?range=${wanted}`);
    if (range.value === wanted) history.value = read;
    historyProblem.value = "";
  } catch (error) {
    historyProblem.value = wordsOf(error);
  }
}
