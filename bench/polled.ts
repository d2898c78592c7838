// A messaging server without limits, for bench/polls.ts, in a separate process: it creates a message in a session at
// every n-th poll of it, and returns it until a later cursor is requested.
//
// Arguments: n (0: never). Prints its origin. POST /stop: no more messages are created.

import { createServer } from "node:http";

const every = Number(process.argv[2]);
interface Session {
  polls: number;
  /** Messages created so far; also the last cursor. */
  made: number;
}
const sessions = new Map<string, Session>();
let isStopped = false;
let polls = 0;
let made = 0;
const expiresAt = new Date(Date.now() + 86_400_000).toISOString();

function page(id: string, query: URLSearchParams): string {
  const after = Number(query.get("after") ?? 0);
  // Staggers the messages of the sessions.
  const session = sessions.get(id) ?? { polls: sessions.size, made: 0 };
  sessions.set(id, session);
  polls += 1;
  if (every > 0 && !isStopped && ++session.polls % every === 0) {
    session.made += 1;
    made += 1;
  }
  const messages = [];
  for (let cursor = after + 1; cursor <= session.made; cursor++) {
    const text = `message ${cursor} of this session, about as long as what agents usually say to each other`;
    messages.push({
      id: `${id}-${cursor}`,
      agentId: "peer",
      text,
      cursor: `${cursor}`,
      verified: true,
      expiresAt,
    });
  }
  const members = [{ agentId: "nexusd" }, { agentId: "peer" }];
  const page = { messages, nextCursor: `${session.made}` };
  return JSON.stringify(query.has("members") ? { ...page, members } : page);
}

const POLL = /^\/v1\/sessions\/([^/]+)\/messages(?:\?(.*))?$/;
const server = createServer((request, response) => {
  const poll = POLL.exec(request.url ?? "");
  if (request.url === "/stop") isStopped = true;
  const body = poll?.[1]
    ? page(poll[1], new URLSearchParams(poll[2]))
    : request.url === "/health"
      ? JSON.stringify({ status: "ok", version: "0.5.0", uptime: process.uptime() })
      : JSON.stringify({ polls, made });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
});
// A poller that is paused for a while finds its connections still open.
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
});
