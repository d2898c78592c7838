// Positions in the log from a caller: refused if they belong to another log, or lie beyond its end.

import type { Store } from "./store.ts";

/** A position that is invalid in this log. */
export class PositionError extends Error {
  override readonly name = "PositionError";
  readonly code: "epoch_changed" | "cursor_ahead";

  constructor(code: PositionError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws PositionError `epoch_changed` if the caller's position belongs to another log */
export function checkEpoch(store: Pick<Store, "epoch">, epoch: string | undefined): void {
  if (epoch !== undefined && epoch !== store.epoch)
    throw new PositionError(
      "epoch_changed",
      `This log is ${store.epoch}: the database was replaced, and positions in the other log mean nothing here. Start again with after=0.`,
    );
}

/** @throws PositionError `cursor_ahead` if the log does not reach `position` */
export async function checkPosition(store: Pick<Store, "readEvents">, position: number): Promise<void> {
  const { latest } = await store.readEvents({ after: position, limit: 1 });
  refuseAhead(position, latest);
}

/** @throws PositionError `cursor_ahead` if the log ends before `position` */
export function refuseAhead(position: number, latest: number): void {
  if (position > latest)
    throw new PositionError(
      "cursor_ahead",
      `The log ends at ${latest}, before ${position}: it was restored from a backup, or the position belongs to another log.`,
    );
}
