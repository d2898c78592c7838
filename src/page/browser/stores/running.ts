// The daemon's status: its services, jobs, sinks and nodes.

import { effect } from "@preact/signals";
import type { StatusView } from "../../../contract/api/status.ts";
import { get } from "../lib/api.ts";
import { onEvent, status } from "./connection.ts";
import { route } from "./route.ts";

/** While the view is open. */
const EVERY_MS = 10_000;
const TOLD = /^(?:service|job|sink|node|daemon)\./;

export function startRunning(): void {
  let isWaiting = false;
  onEvent(({ type }) => {
    if (!TOLD.test(type) || isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      readQuietly();
    }, 200);
  });
  effect(() => {
    if (route.value.view !== "running") return;
    readQuietly();
    const timer = setInterval(readQuietly, EVERY_MS);
    return () => clearInterval(timer);
  });
}

async function read(signal?: AbortSignal): Promise<void> {
  status.value = await get<StatusView>("/v1/status", signal);
}

/** If it fails, so does the stream, which reports why. */
const readQuietly = (): void => {
  read().catch(() => {});
};
