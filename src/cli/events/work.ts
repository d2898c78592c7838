// Work that continues at a service after a write has succeeded: followed through the log until it ends.

import type { WorkData } from "../../contract/work.ts";
import type { Write } from "../../contract/writes.ts";
import { systemClock } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import { visibleJson } from "../../core/text/visible.ts";
import type { CliContext } from "../context.ts";
import { Reported } from "../problem.ts";
import type { Role } from "../sockets.ts";
import { jsonLines } from "../writes/preview-view.ts";
import { follow } from "./follow.ts";

const ENDED = /\.(completed|failed)$/;

interface WorkEvent {
  type: string;
  data: WorkData;
}

/**
 * Prints the event that ends the work; intermediate statuses are notes.
 * @param family of its events: see contract/work.ts
 * @throws Reported if it failed, or did not end within `waitMs` (undefined: no limit)
 */
export async function followWork(
  { transport, io, output }: CliContext,
  write: Write,
  family: string,
  options: { role: Role; waitMs: number | undefined; isWatched: boolean },
): Promise<void> {
  const { role, waitMs, isWatched } = options;
  const deadline = waitMs === undefined ? undefined : AbortSignal.timeout(Math.max(0, Math.ceil(waitMs)));
  let ended: WorkEvent | undefined;
  let status = "begun";
  if (isWatched) output.note(`${write.id} ${write.service} works on it`);
  await follow({
    // From the beginning, since its age is unknown; there are few events of this type.
    ...{
      transport,
      role,
      after: 0,
      epoch: undefined,
      wasThere: true,
      clock: systemClock,
      random: Math.random,
    },
    types: [`${family}.*`],
    signal: deadline ? AbortSignal.any([io.signal, deadline]) : io.signal,
    onNote: output.note,
    async onEvent(json) {
      const event = parseJson(json) as WorkEvent; // the log's own contract
      if (event.data.writeId !== write.id) return true;
      if (ENDED.test(event.type)) {
        ended = event;
        if (!output.isHuman) await output.json(json);
        return false;
      }
      if ("status" in event.data) ({ status } = event.data);
      if (isWatched) output.note(`${write.id} ${status} at ${write.service}`);
      return true;
    },
  });
  if (!ended) {
    output.note(`${write.id} was ${status} at ${write.service}, which continues without this command`);
    throw new Reported("not done yet");
  }
  const shown = "result" in ended.data ? ended.data.result : ended.data;
  if (output.isHuman) for (const line of jsonLines(shown)) await output.text(visibleJson(line));
  if ("error" in ended.data) throw new Reported(`${write.service} could not do it`);
}
