// The log as it grows, with a search over the events on the screen, and older pages.

import { useState } from "preact/hooks";
import { memo } from "../lib/memo.ts";
import { useParts } from "../lib/parts.ts";
import { laidOut, Said } from "../lib/text.tsx";
import { clockTime } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import {
  before,
  eventsProblem,
  families,
  family,
  isLive,
  type ShownEvent,
  search,
  showNewest,
  shown,
  showOlder,
} from "../stores/events.ts";
import { taken } from "./decision.tsx";
import { Heading } from "./heading.tsx";

export const Events = () => (
  <section class="events">
    <Heading>Events</Heading>
    <Search />
    {eventsProblem.value && <p class="problem">{eventsProblem.value}</p>}
    <p class="aside" role="status">
      {count(shown.value.length)}
      {isLive.value ? ", the newest first, as they come" : ", older ones"}
    </p>
    <Log />
    <p class="paging">
      {!isLive.value && (
        <button type="button" class="quiet" onClick={showNewest}>
          Back to the newest
        </button>
      )}
      {before.value > 0 && (
        <button type="button" class="quiet" onClick={() => showOlder(before.value)}>
          Older
        </button>
      )}
    </p>
  </section>
);

function Log() {
  const events = shown.value;
  const drawn = useParts(events.length);
  return (
    <ol class="log">
      {events.slice(0, drawn).map((event) => (
        <Event key={event.sequence} event={event} />
      ))}
    </ol>
  );
}

const count = (events: number): string => (events === 1 ? "1 event" : `${events} events`);

const Search = () => (
  <search class="search">
    <label>
      Search <input type="search" value={search} onInput={taken((text) => (search.value = text))} />
    </label>
    <label>
      Kind{" "}
      <select
        value={family}
        onChange={({ currentTarget }) => {
          family.value = currentTarget.value;
        }}
      >
        <option value="">all</option>
        {families.value.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  </search>
);

const Event = memo(({ event: { sequence, time, type, words, json } }: { event: ShownEvent }) => {
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          <time dateTime={time}>{clockTime(time, now.peek())}</time>
          <span class="type">{type}</span>
          <Said text={words} />
        </summary>
        {isOpen && (
          <pre class="json">
            {`sequence ${sequence}\n`}
            {laidOut(json)}
          </pre>
        )}
      </details>
    </li>
  );
});
