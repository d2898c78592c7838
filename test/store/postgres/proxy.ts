// A way to PostgreSQL that can be cut at a chosen moment.

import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Proxy {
  url: string;
  /** Cuts the connection that sends this text next: before it arrives, or once the server has it and before it answers. */
  cutAt(text: string, when: "before" | "after"): void;
  /** Passes nothing on in either direction, and cuts nothing. */
  freeze(isFrozen: boolean): void;
  /** How often it has cut. */
  cuts(): number;
}

/** @param url of the server */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let cut: { text: string; when: "before" | "after" } | undefined;
  let isFrozen = false;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let isDeaf = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        // What was sent to the server still arrives there.
        if (socket === upstream || !isDeaf) end();
      });
    }
    client.on("data", (data) => {
      if (isFrozen) return;
      if (!cut || !data.includes(cut.text)) return void upstream.write(data);
      const { when } = cut;
      cut = undefined;
      cuts += 1;
      if (when === "before") return end();
      isDeaf = true;
      client.destroy();
      upstream.end(data);
      return undefined;
    });
    upstream.on("data", (data) => {
      if (!isFrozen && !isDeaf) client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const own = new URL(url);
  own.port = String(typeof address === "object" && address ? address.port : 0);
  return {
    url: own.href,
    cutAt: (text, when) => {
      cut = { text, when };
    },
    freeze: (now) => {
      isFrozen = now;
    },
    cuts: () => cuts,
  };
}
