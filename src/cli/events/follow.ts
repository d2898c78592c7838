// Following the log as a command does: event by event, with what a person should know beside them.

import { type FollowOptions as Following, follow as followLog } from "../../client/follow.ts";
import type { Transport } from "../../client/transport.ts";
import type { Clock } from "../../core/clock.ts";
import { waiting } from "../problem.ts";
import type { Role } from "../sockets.ts";

export interface FollowOptions extends Pick<Following, "after" | "epoch" | "types" | "random" | "signal"> {
  transport: Transport;
  /** Over which socket; default: the agents'. */
  role?: Role;
  /** The daemon has answered already: it is waited for from the start. */
  wasThere?: boolean;
  clock: Clock;
  /** Called once for each event, in order; the next one waits for it. `false` ends the following. */
  onEvent(json: string): Promise<boolean>;
  /** What a person should know: the daemon is away, events are missing, the log is another one. */
  onNote(text: string): void;
}

/**
 * Resolves when `onEvent` returned false or the signal aborted.
 * @throws NoDaemon when there was none at the start, NexusdError when the daemon refuses
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
