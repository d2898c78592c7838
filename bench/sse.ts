// Events per second through the SSE client, against bare eventsource-parser on the same bytes.

import { Readable } from "node:stream";
import { createParser } from "eventsource-parser";
import { systemClock } from "../src/core/clock.ts";
import { holdEventSource } from "../src/http/sse.ts";
import { median, print } from "./figure.ts";

const BYTES = 32 * 1024 * 1024;
/** The size of a read from a socket. */
const CHUNK_BYTES = 64 * 1024;
const ROUNDS = 7;

/** Text of this many characters, two of them not ASCII. */
const text = (length: number) => `${"insight ".repeat(length / 8)}€ß`;
const CASES: Record<string, string> = {
  "200 bytes of data": `event: insight.batch.created\ndata: {"content":"${text(180)}"}\n\n`,
  "2 kB of data": `event: insight.batch.created\ndata: {"content":"${text(2000)}"}\n\n`,
  "20 bytes of data with an ID": "id: 1234567\ndata: twenty bytes of data\n\n",
};

/** The stream of one event repeated, in chunks as from a socket. */
function chunksOf(event: string): { chunks: Buffer[]; count: number } {
  const count = Math.ceil(BYTES / Buffer.byteLength(event));
  const bytes = Buffer.from(event.repeat(count));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) chunks.push(bytes.subarray(at, at + CHUNK_BYTES));
  return { chunks, count };
}

async function rate(count: number, read: () => Promise<number>): Promise<number> {
  const begin = performance.now();
  const seen = await read();
  if (seen !== count) throw new Error(`${seen} events instead of ${count}`);
  return (count / (performance.now() - begin)) * 1000;
}

/** The minimum: decode and parse, from the same kind of stream. */
async function bare(chunks: Buffer[]): Promise<number> {
  let seen = 0;
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: () => {
      seen += 1;
    },
  });
  for await (const chunk of Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK_BYTES }))
    parser.feed(decoder.decode(chunk, { stream: true }));
  return seen;
}

async function client(chunks: Buffer[]): Promise<number> {
  let seen = 0;
  const body = Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK_BYTES });
  const head = {
    service: "bench",
    label: "bench",
    status: 200,
    headers: { "content-type": "text/event-stream" },
  };
  let isFirst = true;
  await holdEventSource(
    {
      http: {
        stream: async () => {
          if (!isFirst) return { ...head, status: 204, body: Readable.from([]) };
          isFirst = false;
          return { ...head, body };
        },
      },
      ...{ path: "/", label: "bench", random: () => 0, idleTimeoutMs: 90_000 },
      clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms < 5000 ? 0 : ms, signal) },
      signal: new AbortController().signal,
    },
    {
      events: (events) => {
        seen += events.length;
      },
    },
  );
  return seen;
}

for (const [name, event] of Object.entries(CASES)) {
  const { chunks, count } = chunksOf(event);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    theirs.push(await rate(count, () => bare(chunks)));
    ours.push(await rate(count, () => client(chunks)));
  }
  print({
    bench: "sse",
    case: name,
    figure: "events read",
    value: median(ours),
    unit: "per second",
    baseline: median(theirs),
  });
}
