// Handles the one-use link: sends its key to the server, stores the result, and goes to the page.

import { OPEN_PATH } from "../names.ts";
import { keepTab, tabHeaders } from "./tab.ts";

const key = location.hash.slice(1);
// Keep the key out of the history and of bookmarks.
history.replaceState(null, "", OPEN_PATH);

/** A browser may preload pages, which must not use up the link. */
async function untilSeen(): Promise<void> {
  if (!("prerendering" in document) || !document.prerendering) return;
  await new Promise((resolve) => document.addEventListener("prerenderingchange", resolve, { once: true }));
}

/** @returns the reason for a failure, in words; undefined: it is open */
async function open(): Promise<string | undefined> {
  const answer = await fetch(OPEN_PATH, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key }),
  });
  const body = await answer.json();
  if (answer.ok) {
    keepTab(body.tab);
    return undefined;
  }
  // Reloaded in the browser that has it open already.
  const isOpen = await fetch("/v1/health", { headers: tabHeaders() });
  return isOpen.ok ? undefined : `${body.title}. ${body.detail}`;
}

await untilSeen();
const words = await open().catch(() => "nexusctl page has ended. Start it again, and open its new link.");
if (words === undefined) location.replace("/");
else document.getElementById("words")?.replaceChildren(words);
