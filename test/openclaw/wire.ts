// A transparent proxy before the gateway that records when a wake passes.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Wire {
  origin: string;
  /** When each wake reached the gateway's socket, in milliseconds since the Unix epoch. */
  wakes: number[];
  close(): Promise<void>;
}

export async function startWire(target: string): Promise<Wire> {
  const { hostname, port } = new URL(target);
  const wakes: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    // Without a gateway the connection ends at once, as one that is refused does.
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    far.once("connect", () => {
      near.on("data", (bytes: Buffer) => {
        if (bytes.includes("POST /hooks/wake")) wakes.push(Date.now());
      });
      near.pipe(far);
      far.pipe(near);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    wakes,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
