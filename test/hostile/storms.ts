// What one agent can do to agent.sock, at full speed for some seconds. Run as its own process, so that it does not
// disturb the measurement: node test/hostile/storms.ts NAME SOCKET SECONDS. Prints the answers it got, as JSON.

import { request } from "node:http";
import { connect, type Socket } from "node:net";

interface Storm {
  socket: string;
  /** Aborts when the time is up. */
  signal: AbortSignal;
  /** The answers by status and code: "429 too_many_streams". */
  told: Map<string, number>;
}

interface Reply {
  status: number;
  text: string;
}

const count = ({ told }: Storm, what: string) => told.set(what, (told.get(what) ?? 0) + 1);

/** One request; its answer is counted. Undefined if the connection broke. */
function ask(
  storm: Storm,
  method: string,
  path: string,
  options: { body?: string; headers?: Record<string, string> } = {},
): Promise<Reply | undefined> {
  const { socket: socketPath, signal } = storm;
  return new Promise((resolve) => {
    const broken = () => {
      if (!signal.aborted) count(storm, "connection ended");
      resolve(undefined);
    };
    const headers = {
      host: "nexusd",
      ...(options.body !== undefined && {
        "content-type": "application/json",
        "content-length": `${Buffer.byteLength(options.body)}`,
      }),
      ...options.headers,
    };
    const outgoing = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (text.length < 2 ** 20) text += chunk;
      });
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        const code = status < 400 ? "" : ` ${/"code":"(\w+)"/.exec(text)?.[1] ?? ""}`;
        count(storm, `${status}${code}`);
        resolve({ status, text });
      });
      response.on("error", broken);
    });
    outgoing.on("error", broken);
    outgoing.end(options.body);
  });
}

/** `times` at once, again and again until the time is up. */
async function again(storm: Storm, times: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let n = 0;
  const one = async () => {
    while (!storm.signal.aborted) {
      await work(n++);
      // A refusal comes at once, and the storm should consist of requests, not of this loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: times }, one));
}

const head = (line: string, headers: string[] = []) =>
  `${[`${line} HTTP/1.1`, "host: nexusd", ...headers].join("\r\n")}\r\n\r\n`;

/** A connection that sends this and then reads nothing; the first line of its answer counts once it is closed. */
function open(storm: Storm, text: string, reads = false): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(storm.socket);
    const end = () => {
      if (!storm.signal.aborted) count(storm, "connection ended");
      resolve(undefined);
    };
    socket.on("error", () => {});
    socket.once("close", end);
    socket.once("connect", () => {
      socket.write(text);
      if (reads)
        socket.once("data", (data: Buffer) => {
          const status = /^HTTP\/1\.1 (\d+)/.exec(data.toString("latin1"))?.[1];
          const code = /"code":"(\w+)"/.exec(data.toString("latin1"))?.[1];
          count(storm, `${status}${code ? ` ${code}` : ""}`);
        });
      else socket.pause();
      resolve(socket);
    });
    storm.signal.addEventListener("abort", () => socket.destroy(), { once: true });
  });
}

const WRITE = "nex.records.create";
let serial = 0;
const proposal = (attributes: string) =>
  `{"operation":"${WRITE}","idempotencyKey":"storm-${process.pid}-${serial++}","input":{"objectSlug":"person","attributes":{"name":"storm",${attributes.slice(1)}}}`;

/** At most this many bytes, of one thing again and again. */
const fill = (unit: string, bytes: number) => unit.repeat(Math.floor(bytes / unit.length));

/** The largest of these proposals that is accepted. */
async function propose(storm: Storm, attributes: (bytes: number) => string): Promise<string | undefined> {
  for (const bytes of [900_000, 240_000, 100_000, 20_000]) {
    const reply = await ask(storm, "POST", "/v1/writes", { body: proposal(attributes(bytes)) });
    const id = reply?.status === 202 && /"id":"(\w+)"/.exec(reply.text)?.[1];
    if (id) return id;
  }
  return undefined;
}

const hold = (storm: Storm) =>
  new Promise<void>((resolve) => {
    if (storm.signal.aborted) resolve();
    storm.signal.addEventListener("abort", () => resolve(), { once: true });
  });

export const STORMS: Record<string, (storm: Storm) => Promise<unknown>> = {
  async "600 connections with almost a body each"(storm) {
    const body = fill("x", 900_000);
    const line = head("POST /v1/writes", [
      "content-type: application/json",
      `content-length: ${body.length + 1}`,
    ]);
    await Promise.all(Array.from({ length: 600 }, () => open(storm, line + body, true)));
    await hold(storm);
  },
  async "25,000 consumers of 100 types, and lists of them"(storm) {
    const types = Array(100).fill("messaging.message.received");
    const body = JSON.stringify({ from: "oldest", types });
    await again(storm, 16, (n) =>
      n % 50 === 49
        ? ask(storm, "GET", "/v1/consumers")
        : n < 25_000
          ? ask(storm, "PUT", `/v1/consumers/storm-${n}`, { body })
          : hold(storm),
    );
  },
  async "200 long polls on one large write"(storm) {
    const id = await propose(storm, (bytes) => `{"text":"${fill("x", bytes)}"}`);
    const polls = again(storm, 200, () => ask(storm, "GET", `/v1/writes/${id}?wait=30s`));
    const appends = again(storm, 2, () => ask(storm, "POST", "/v1/writes", { body: proposal('{"a":1}') }));
    await Promise.all([polls, appends]);
  },
  async "20 readers of a proposal of many numbers"(storm) {
    const id = await propose(storm, (bytes) => `{"list":[${fill("1234567890123456789,", bytes)}1]}`);
    await again(storm, 20, () => ask(storm, "GET", `/v1/writes/${id}`));
  },
  async "20 readers of a deeply nested proposal"(storm) {
    const nested = `${"[".repeat(50)}1${"]".repeat(50)},`;
    const id = await propose(storm, (bytes) => `{"list":[${fill(nested, bytes)}1]}`);
    await again(storm, 20, () => ask(storm, "GET", `/v1/writes/${id}`));
  },
  async "200 answers that nobody reads"(storm) {
    await Promise.all(Array.from({ length: 200 }, () => open(storm, head("GET /v1/events?limit=1000"))));
    await hold(storm);
  },
  async "500 streams that nobody reads"(storm) {
    await Promise.all(Array.from({ length: 500 }, () => open(storm, head("GET /v1/events/stream"))));
    await hold(storm);
  },
  async "searches of ten words, each with little to begin with"(storm) {
    const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    await again(storm, 20, (n) => {
      const word = (k: number) => `${letters[(n + k * 7) % 36]}${letters[(n * 5 + k) % 36]}`;
      const text = Array.from({ length: 10 }, (_, k) => (k % 2 ? "wo" : word(k))).join("%20");
      return ask(storm, "GET", `/v1/nex/insights?limit=1000&text=${text}`);
    });
  },
  async "one search of 250 letters after the other"(storm) {
    const text = Array.from({ length: 250 }, () => "w").join("%20");
    await again(storm, 8, () => ask(storm, "GET", `/v1/nex/insights?limit=1000&text=${text}`));
  },
  async "searches that find everything"(storm) {
    await again(storm, 20, () => ask(storm, "GET", "/v1/nex/insights?limit=1000&text=company"));
  },
  async "20 refused bodies of 90,000 errors"(storm) {
    const fields = Array.from({ length: 90_000 }, (_, n) => `"f${n}":1`).join(",");
    await again(storm, 20, () =>
      ask(storm, "POST", "/v1/writes", { body: `{"operation":"${WRITE}","input":{${fields}}}` }),
    );
  },
  async "bodies of long integers"(storm) {
    const numbers = fill(`${"9".repeat(999)},`, 1_000_000);
    await again(storm, 20, () =>
      ask(storm, "POST", "/v1/writes", { body: `{"operation":"${WRITE}","input":{"list":[${numbers}1]}}` }),
    );
  },
  async "proposals as fast and as large as they are taken"(storm) {
    const attributes = (bytes: number) => `{"text":"${fill("x", bytes)}"}`;
    await again(storm, 16, async () => {
      const reply = await ask(storm, "POST", "/v1/writes", { body: proposal(attributes(900_000)) });
      if (reply?.status !== 202)
        await ask(storm, "POST", "/v1/writes", { body: proposal(attributes(250_000)) });
    });
  },
  async "thousands of requests in pieces of 250"(storm) {
    const piece = head("GET /v1/health").repeat(250);
    await again(storm, 16, async () => {
      const socket = await open(storm, piece, true);
      if (socket) await new Promise((resolve) => setTimeout(resolve, 100));
      socket?.destroy();
    });
  },
  async "300 reads of a service that does not answer"(storm) {
    const body = JSON.stringify({ operation: "nex.objects.list", input: {} });
    await again(storm, 300, () => ask(storm, "POST", "/v1/reads", { body }));
  },
};

if (process.argv[1] === import.meta.filename) {
  const [name = "", socket = "", seconds = "5"] = process.argv.slice(2);
  const run = STORMS[name];
  if (!run) throw new Error(`no storm is called ${name}`);
  // Not AbortSignal.timeout, whose timer does not keep the process alive.
  const over = new AbortController();
  setTimeout(() => over.abort(), Number(seconds) * 1000);
  const storm = { socket, signal: over.signal, told: new Map() };
  await Promise.race([run(storm), hold(storm)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(storm.told)), () => process.exit(0));
}
