// Pipelined requests, sent before the previous answer is complete: thousands of them fit into one chunk.

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TakeTurn } from "./turns.ts";

interface Waiting {
  response: ServerResponse;
  begin(): void;
}

/**
 * Begins one request of a connection at a time: the first at once, each other one when the previous answer is complete
 * and its turn has come. @returns to be called with every request
 */
export function createPipelines(turn: TakeTurn): (response: ServerResponse, begin: () => void) => void {
  const lines = new WeakMap<Socket, Waiting[]>();

  const run = (socket: Socket, { response, begin }: Waiting) => {
    response.once("close", () => {
      const next = lines.get(socket)?.shift();
      if (!next || socket.destroyed) lines.delete(socket);
      else
        turn(socket).then(
          () => run(socket, next),
          () => socket.destroy(),
        );
    });
    begin();
  };

  return (response, begin) => {
    const { socket } = response.req;
    if (socket.destroyed) return;
    const line = lines.get(socket);
    if (line) line.push({ response, begin });
    else {
      lines.set(socket, []);
      run(socket, { response, begin });
    }
  };
}
