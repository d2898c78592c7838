// Chooses the next events: those after the position of the consumer, in order. If a request may have arrived but its
// answer was lost, even because nexusd was killed, exactly the same events are next again.

import { z } from "zod";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { TargetContext } from "../kind.ts";

/** Many receivers accept no more than this in one request. */
const MOST_BYTES = 256 * 1024;

/** The batch on its way: what follows `after`, up to `upTo`. */
const onItsWay = z.object({ after: z.int(), upTo: z.int() });

export interface Backlog {
  /** None: up to `upTo` there is nothing that the consumer wants. Undefined: there is no such consumer. */
  next(): Promise<{ events: StoredEvent[]; upTo: number } | undefined>;
}

/**
 * @param most events at once; one of them alone may be larger than a batch may be
 */
export function openBacklog(
  { sink, consumer, store, log }: Pick<TargetContext<unknown>, "sink" | "consumer" | "store" | "log">,
  most: number,
): Backlog {
  const source = `sink:${sink}:batch`;

  return {
    async next() {
      const at = await store.readConsumer(consumer);
      if (!at) return undefined;
      const page = await store.readEvents({
        ...{ after: at.position, limit: most, maxLength: MOST_BYTES },
        ...(at.types && { types: at.types }),
      });
      if (page.gap)
        log.warn(
          page.gap,
          "retention removed events before they were delivered: keep_events is too short for it",
        );
      if (most === 1) return { events: page.events, upTo: page.events[0]?.sequence ?? page.next };

      const within = withinBytes(page.events);
      const before = onItsWay.safeParse((await store.readCursor(source))?.value).data;
      const isSame = before?.after === at.position;
      // What retention has removed cannot be repeated.
      const same = isSame ? within.filter(({ sequence }) => sequence <= before.upTo) : [];
      const events = same.length > 0 ? same : within;
      const upTo = events.at(-1)?.sequence ?? page.next;
      if (events.length > 0 && !(isSame && before.upTo === upTo))
        await store.commitObservation({ source, cursor: { after: at.position, upTo } });
      return { events, upTo };
    },
  };
}

function withinBytes(events: StoredEvent[]): StoredEvent[] {
  let bytes = 0;
  const over = events.findIndex(({ json }, index) => {
    bytes += Buffer.byteLength(json);
    return index > 0 && bytes > MOST_BYTES;
  });
  return over < 0 ? events : events.slice(0, over);
}
