// The minimal poller, for bench/polls.ts, in a separate process: undici fetches and JSON.parse parses.
//
// Arguments: the origin, the sessions, the number of concurrent requests. Polls until it is killed.

import { Agent, request } from "undici";

const [origin, sessions, places] = [process.argv[2] ?? "", Number(process.argv[3]), Number(process.argv[4])];
const dispatcher = new Agent({ connections: places });
const cursors = new Map<string, string>();
let next = 0;

async function loop(): Promise<void> {
  for (;;) {
    const id = `session-${next++ % sessions}`;
    const after = cursors.get(id);
    const { body } = await request(`${origin}/v1/sessions/${id}/messages${after ? `?after=${after}` : ""}`, {
      dispatcher,
      headers: { "x-agent-id": "nexusd", accept: "application/json" },
    });
    const page = JSON.parse(await body.text());
    cursors.set(id, page.nextCursor);
  }
}

await Promise.all(Array.from({ length: places }, loop));
