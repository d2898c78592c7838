// Behind the one-use link: shows its key to the server, keeps what it is given, and goes to the page.

import { OPEN_PATH } from "../names.ts";
import { keepTab, tabHeaders } from "./tab.ts";

const key = location.hash.slice(1);
// Not into the history, not into a bookmark.
history.replaceState(null, "", OPEN_PATH);

/** A browser may load ahead what it thinks will be wanted: that must not use the link up. */
async function untilSeen(): Promise<void> {
  if (!("prerendering" in document) || !document.prerendering) return;
  await new Promise((resolve) => document.addEventListener("prerenderingchange", resolve, { once: true }));
}

/** @returns why not, in words; undefined: it is open */
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
  // Loaded again in the browser that has it open.
  const isOpen = await fetch("/v1/health", { headers: tabHeaders() });
  return isOpen.ok ? undefined : `${body.title}. ${body.detail}`;
}

await untilSeen();
const words = await open().catch(() => "nexusctl page has ended. Start it again, and open its new link.");
if (words === undefined) location.replace("/");
else document.getElementById("words")?.replaceChildren(words);
