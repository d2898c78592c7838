// Clients that shut down their writing side after sending a request, as "nc -N" does: they still read, so they get
// their answer.

import type { Server } from "node:http";
import type { Socket } from "node:net";

/** How long a client that is gone entirely may go unnoticed. */
const LOOK_EVERY_MS = 1000;

/** Makes `server` answer half-closed connections, and end those whose client is gone. */
export function answerHalfClosed(server: Server): void {
  // An undocumented option of Node.js: without it, a request ends when its client stops sending.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on("connection", (socket: Socket) => {
    socket.once("end", () => noticeTheEnd(socket));
  });
}

/**
 * After the end of input, Node.js notices that the other side is gone only when it writes. An empty write sends
 * nothing, and fails on a Unix socket that is closed at the other end.
 */
function noticeTheEnd(socket: Socket): void {
  const timer = setInterval(() => {
    // Data that waits to be sent fails on its own; empty writes must not pile up behind it.
    if (socket.writable && socket.writableLength === 0) socket.write("");
  }, LOOK_EVERY_MS);
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}
