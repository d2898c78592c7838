// This process's HTTP exchanges in progress, so that fake time does not pass while one is under way.

import { subscribe } from "node:diagnostics_channel";
import { setImmediate as nextTurn } from "node:timers/promises";

/** One that takes longer counts as deliberately left without an answer. */
const PATIENCE_MS = 250;

const underWay = new Map<object, number>();
const streams = new Set<object>();

const requestOf = (message: unknown) => (message as { request: object }).request;
const ended = (message: unknown) => {
  underWay.delete(requestOf(message));
  streams.delete(requestOf(message));
};
subscribe("undici:request:create", (message) => underWay.set(requestOf(message), performance.now()));
subscribe("undici:request:trailers", ended);
subscribe("undici:request:error", ended);
subscribe("undici:request:headers", (message) => {
  const { headers } = (message as { response: { headers: Buffer[] } }).response;
  if (!headers.some((header) => header.toString("latin1").startsWith("text/event-stream"))) return;
  underWay.delete(requestOf(message));
  streams.add(requestOf(message));
});

/** Whether a stream of events is open, whose bytes arrive whenever its server sends them. */
export const isStreaming = (): boolean => streams.size > 0;

const isAwaited = () => {
  const patientSince = performance.now() - PATIENCE_MS;
  for (const since of underWay.values()) if (since > patientSince) return true;
  return false;
};

/** @returns whether it had to wait for one */
export async function exchangesEnded(): Promise<boolean> {
  if (!isAwaited()) return false;
  while (isAwaited()) await nextTurn();
  return true;
}
