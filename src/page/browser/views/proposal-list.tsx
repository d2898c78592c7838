// The list of the inbox: one link per proposal, reachable by arrow keys as well as by Tab.

import { useEffect, useRef } from "preact/hooks";
import { memo } from "../lib/memo.ts";
import { useParts } from "../lib/parts.ts";
import { stateWord } from "../lib/steps.ts";
import { Said } from "../lib/text.tsx";
import { ago, duration } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import { inbox, isInboxRead, openCount, type Row, sweepInbox } from "../stores/inbox.ts";
import { hrefOf, route } from "../stores/route.ts";
import { Heading } from "./heading.tsx";

export function ProposalList() {
  const rows = inbox.value;
  const ended = rows.length - openCount.value;
  const drawn = useParts(rows.length);
  const openId = route.value.id;
  const last = useRef(openId);
  const list = useRef<HTMLUListElement>(null);
  // When the person comes back from a write, the focus is where it was before.
  useEffect(() => {
    if (last.current && !openId)
      list.current
        ?.querySelector<HTMLElement>(`[href="${CSS.escape(hrefOf("inbox", last.current))}"]`)
        ?.focus();
    last.current = openId;
  }, [openId]);
  return (
    <section class="proposals" aria-label="Proposals">
      <div class="titled">
        <Heading isAside={openId !== undefined}>{title(isInboxRead.value, openCount.value)}</Heading>
        {ended > 0 && (
          <button type="button" class="quiet" onClick={sweepInbox}>
            Clear {ended} decided
          </button>
        )}
      </div>
      {isInboxRead.value && rows.length === 0 && (
        <p class="empty">Nothing waits for a decision. What agents propose appears here by itself.</p>
      )}
      <ul ref={list} onKeyDown={moveByArrow}>
        {rows.slice(0, drawn).map((row) => (
          <Proposal key={row.write.id} row={row} isOpen={openId === row.write.id} />
        ))}
      </ul>
    </section>
  );
}

const title = (isRead: boolean, count: number): string =>
  !isRead ? "Inbox" : count === 0 ? "Nothing to decide" : `${count} to decide`;

const Proposal = memo(({ row: { write, ended }, isOpen }: { row: Row; isOpen: boolean }) => (
  <li class={ended ? "ended" : undefined}>
    <a href={hrefOf("inbox", write.id)} aria-current={isOpen ? "true" : undefined}>
      <span class="about">
        {write.destructive && <strong class="careful">Deletes: </strong>}
        <Said text={write.about} />
      </span>
      <span class="why">
        <Said text={write.agent ?? "an agent without a name"} />
        {write.reason && (
          <>
            {": "}
            <Said text={write.reason} />
          </>
        )}
      </span>
      <span class="when">{ended ? stateWord(ended.state) : <Left until={write.expiresAt} />}</span>
    </a>
  </li>
));

/** The time until it expires. */
export function Left({ until }: { until: string }) {
  const ms = Date.parse(until) - now.value;
  return <>{ms <= 0 ? `expired ${ago(until, now.value)}` : `${duration(ms)} left`}</>;
}

function moveByArrow(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.currentTarget instanceof HTMLElement)) return;
  const links = [...event.currentTarget.querySelectorAll("a")];
  const at = links.findIndex((link) => link.matches(":focus"));
  const next = links[at + step];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
}
