// The page: for now what the daemon says of itself.

import { tabHeaders } from "./tab.ts";

const app = document.getElementById("app");

async function show(): Promise<void> {
  const answer = await fetch("/v1/status", { headers: tabHeaders() });
  const body = await answer.json();
  const words = answer.ok ? `nexusd ${body.version}` : `${body.title}. ${body.detail}`;
  app?.replaceChildren(words);
}

await show();
