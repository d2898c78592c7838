// Follows the log for a command: event by event, with notes for the person in between.

import { type FollowOptions as Following, follow as followLog } from "../../client/follow.ts";
import type { Transport } from "../../client/transport.ts";
import type { Clock } from "../../core/clock.ts";
import { waiting } from "../problem.ts";
import type { Role } from "../sockets.ts";

export interface FollowOptions extends Pick<Following, "after" | "epoch" | "types" | "random" | "signal"> {
  transport: Transport;
  /** Which socket; default: the agents'. */
  role?: Role;
  /** The daemon has answered before: wait for it from the start. */
  wasThere?: boolean;
  clock: Clock;
  /** Called once for each event, in order; the next one waits for it. `false` stops following. */
  onEvent(json: string): Promise<boolean>;
  /** What a person should know: the daemon is unavailable, events are missing, the log was replaced. */
  onNote(text: string): void;
}

/**
 * Resolves when `onEvent` returned false or the signal aborted.
 * @throws NoDaemon if there was none at the start, NexusdError if the daemon refuses
 */
export async function follow({
  wasThere = false,
  onEvent,
  onNote,
  ...options
}: FollowOptions): Promise<void> {
  for await (const item of followLog({ role: undefined, ...options, waitForDaemon: wasThere }))
    switch (item.kind) {
      case "event":
        if (!(await onEvent(item.json))) return;
        break;
      case "gap":
        onNote(`events ${item.gap.from} to ${item.gap.to} are missing: retention removed them`);
        break;
      case "replaced":
        onNote(
          `the log was replaced (epoch ${item.previous} is now ${item.epoch}): following the new one from its start`,
        );
        break;
      case "away":
        onNote(waiting(item.error));
        break;
      case "back":
        onNote("connected again");
    }
}
