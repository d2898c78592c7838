// The operator's page: starts its stores and renders them.

import { effect } from "@preact/signals";
import { render } from "preact";
import { startClock } from "./stores/clock.ts";
import { follow } from "./stores/connection.ts";
import { startConversations } from "./stores/conversations.ts";
import { startEvents } from "./stores/events.ts";
import { startHistory } from "./stores/history.ts";
import { openCount, startInbox } from "./stores/inbox.ts";
import { startReview } from "./stores/review.ts";
import { startRoute } from "./stores/route.ts";
import { startRunning } from "./stores/running.ts";
import { Shell } from "./views/shell.tsx";

const starts = [
  startRoute,
  startInbox,
  startReview,
  startEvents,
  startRunning,
  startConversations,
  startHistory,
];
for (const start of [startClock, ...starts]) start();

effect(() => {
  document.title = openCount.value > 0 ? `(${openCount.value}) nexusd` : "nexusd";
});

// First, so that the daemon answers while the shell is rendered.
void follow();

const app = document.getElementById("app");
if (app) render(<Shell />, app);
