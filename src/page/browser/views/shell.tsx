// The frame around every view: navigation, whether the page is up to date, and the bell.

import { duration } from "../lib/time.ts";
import { announcement } from "../stores/announce.ts";
import { isBellOn, toggleBell } from "../stores/bell.ts";
import { isCurrent, staleMs, trouble } from "../stores/connection.ts";
import { openCount } from "../stores/inbox.ts";
import { hrefOf, route, VIEWS, type View } from "../stores/route.ts";
import { Conversations } from "./conversations.tsx";
import { Events } from "./events.tsx";
import { Inbox } from "./inbox.tsx";
import { LazyPlots } from "./lazy-plots.tsx";
import { Running } from "./running.tsx";

const NAMES: Readonly<Record<View, string>> = {
  inbox: "Inbox",
  running: "Running",
  events: "Events",
  conversations: "Conversations",
  plots: "Plots",
};

const SHOWN: Readonly<Record<View, () => preact.JSX.Element>> = {
  inbox: Inbox,
  running: Running,
  events: Events,
  conversations: Conversations,
  plots: LazyPlots,
};

export function Shell() {
  const { view } = route.value;
  const Shown = SHOWN[view];
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header>
        <span class="brand">nexusd</span>
        <nav aria-label="Views">
          <ul>
            {VIEWS.map((one) => (
              <li key={one}>
                <a href={hrefOf(one)} aria-current={one === view ? "page" : undefined}>
                  {NAMES[one]}
                  {one === "inbox" && openCount.value > 0 && <span class="count">{openCount.value}</span>}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <button type="button" class="quiet bell" aria-pressed={isBellOn.value} onClick={toggleBell}>
          Bell {isBellOn.value ? "on" : "off"}
        </button>
        <span class={`dot link ${isCurrent.value ? "good" : "off"}`}>
          {isCurrent.value ? "live" : "not up to date"}
        </span>
      </header>
      <Warning />
      <main id="main" tabIndex={-1}>
        <Shown />
      </main>
      <p class="unseen" role="status">
        {announcement.value}
      </p>
    </>
  );
}

/** Always rendered, so that it is read out when its text appears. */
const Warning = () => (
  <div class="warning" role="alert">
    {warning()}
  </div>
);

function warning(): string {
  const off = "Deciding is off until the page is up to date again.";
  if (staleMs.value !== undefined)
    return `This page is stale: nothing has come from nexusd for ${duration(staleMs.value)}. ${trouble.value} ${off}`;
  if (trouble.value) return `nexusd is away. ${trouble.value} ${off}`;
  return "";
}

/** Not a link: an address with `#main` would be another view. */
function skip(): void {
  document.getElementById("main")?.focus();
}
