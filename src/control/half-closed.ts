// Clients that shut down their writing side when they have sent their request, as "nc -N" does: they still read, so
// they get their answer.

import type { Server } from "node:http";
import type { Socket } from "node:net";

/** How long a client that is gone altogether goes unnoticed. */
const LOOK_EVERY_MS = 1000;

/** Lets `server` answer half-closed connections, and end those whose client has gone. */
export function answerHalfClosed(server: Server): void {
  // Node.js has the switch and no documentation of it: without it a request ends when its client has said all.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on("connection", (socket: Socket) => {
    socket.once("end", () => noticeTheEnd(socket));
  });
}

/**
 * After the end of what it reads, nothing tells Node.js that the other side is gone, until something is written. An
 * empty write sends nothing, and fails on a Unix socket that nobody holds at the other end.
 */
function noticeTheEnd(socket: Socket): void {
  const timer = setInterval(() => {
    // What waits to be sent fails by itself, and nothing must gather behind it.
    if (socket.writable && socket.writableLength === 0) socket.write("");
  }, LOOK_EVERY_MS);
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}
