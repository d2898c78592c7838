// A small pooler in front of PostgreSQL: as PgBouncer does, it answers the start of a connection itself, with a process
// number of its own, and lends it a session of the server for a transaction, or for as long as it is connected.

import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

interface Session {
  socket: Socket;
  /** What the server said when it began, which every client is told. */
  greeting: Buffer;
  client: Socket | undefined;
}

const READY = 0x5a; // Z

/** The messages of a stream, whole ones only; the rest is kept. */
function createSplitter() {
  let rest: Buffer = Buffer.alloc(0);
  return (data: Buffer): Buffer[] => {
    rest = Buffer.concat([rest, data]);
    const messages: Buffer[] = [];
    while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
      const length = 1 + rest.readUInt32BE(1);
      messages.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    return messages;
  };
}

export async function startPooler(url: string, mode: "transaction" | "session"): Promise<{ url: string }> {
  const target = new URL(url);
  const free: Session[] = [];
  const all = new Set<Socket>();

  const openSession = (startup: Buffer) =>
    new Promise<Session>((resolve, reject) => {
      const socket = connect(Number(target.port), target.hostname);
      all.add(socket);
      const session: Session = { socket, greeting: Buffer.alloc(0), client: undefined };
      const split = createSplitter();
      let isReady = false;
      socket.on("error", reject).on("close", () => session.client?.destroy());
      socket.on("data", (data: Buffer) => {
        for (const message of split(data)) {
          if (!isReady) {
            // K names the server's process: a pooler has one of its own.
            const own = Buffer.from(message);
            if (own[0] === 0x4b) own.writeUInt32BE(4_242_424, 5);
            session.greeting = Buffer.concat([session.greeting, own]);
            if (message[0] !== READY) continue;
            isReady = true;
            resolve(session);
            continue;
          }
          const { client } = session;
          client?.write(message);
          // Idle: the transaction is over, and the next one may be of another client.
          if (mode === "transaction" && message[0] === READY && message[5] === 0x49) {
            session.client = undefined;
            free.push(session);
          }
        }
      });
      socket.write(startup);
    });

  const server = createServer((client) => {
    all.add(client);
    let startup: Buffer | undefined;
    let own: Session | undefined;
    let queue = Promise.resolve();
    const split = createSplitter();
    const lent = async (): Promise<Session> => {
      if (own && own.client === client) return own;
      own = free.pop() ?? (await openSession(startup ?? Buffer.alloc(0)));
      own.client = client;
      return own;
    };
    client
      .on("error", () => {})
      .on("close", () => {
        if (own?.client === client) own.socket.destroy();
      });
    client.on("data", (data: Buffer) => {
      if (!startup) {
        startup = Buffer.from(data);
        queue = queue.then(async () => {
          const session = await lent();
          client.write(session.greeting);
          if (mode === "session") return;
          session.client = undefined;
          free.push(session);
        });
        return;
      }
      for (const message of split(data))
        queue = queue.then(async () => {
          (await lent()).socket.write(message);
        });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of all) socket.destroy();
    server.close();
  });
  const address = server.address();
  const through = new URL(url);
  through.port = String(typeof address === "object" && address ? address.port : 0);
  return { url: through.href };
}
