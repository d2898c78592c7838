import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createRoom } from "../../src/http/room.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import fc from "../support/fc.ts";
import { serve } from "../support/http-server.ts";

const MIB = 2 ** 20;

test("answers of any size all complete, with never more in memory than the limit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ most: fc.integer({ min: 1, max: 40 }), isShort: fc.boolean() }), {
        maxLength: 12,
      }),
      fc.infiniteStream(fc.nat()),
      (answers, picks) => {
        const room = createRoom(24 * MIB);
        const all = answers.map(({ most, isShort }) => ({
          place: room.open(most * MIB, `${most % 3}`),
          most: Math.min(most, 24) * MIB,
          size: isShort ? (most * MIB) / 3 : most * MIB,
          read: 0,
          isWaiting: false,
          isOver: false,
        }));
        for (let turns = 0; all.some(({ isOver }) => !isOver); turns++) {
          expect(turns).toBeLessThan(10_000);
          const free = all.filter(({ isOver, isWaiting }) => !isOver && !isWaiting);
          // A deadlock: they would wait for each other for ever.
          expect(free.length).toBeGreaterThan(0);
          const next = free[(picks.next().value ?? 0) % free.length];
          if (!next) break;
          if (next.read >= next.size) {
            next.isOver = true;
            next.place.release();
            next.read = 0;
            continue;
          }
          const more = next.read + MIB;
          next.isWaiting = !next.place.grow(more, () => {
            next.isWaiting = false;
            next.read = more;
          });
          if (!next.isWaiting) next.read = more;
          const held = all.reduce((sum, { read, most }) => sum + Math.min(read, most), 0);
          expect(held).toBeLessThanOrEqual(24 * MIB);
        }
      },
    ),
  );
});

test("a service waits for at most one of another service's many answers", () => {
  const room = createRoom(24 * MIB);
  const began: string[] = [];
  const ask = (name: string, whose: string) => {
    const place = room.open(24 * MIB, whose);
    const begin = () => void began.push(name);
    if (place.grow(MIB, begin)) begin();
    return place;
  };
  const slow = Array.from({ length: 8 }, (_, n) => ask(`slow ${n}`, "messaging"));
  const others = [ask("nexus 0", "nexus"), ask("nexus 1", "nexus"), ask("nex 0", "nex")];
  expect(began).toEqual(["slow 0"]);
  slow[0]?.release();
  expect(began).toEqual(["slow 0", "nexus 0"]);
  others[0]?.release();
  others[2]?.release();
  expect(began).toEqual(["slow 0", "nexus 0", "nex 0", "slow 1"]);
  slow[1]?.release();
  expect(began.at(-1)).toBe("nexus 1");
});

const clientOf = (origin: string, room = createRoom(2 * MIB), timeoutMs = 30_000) => {
  const http = createHttpClient({
    ...{ service: "nexus", origin, clock: systemClock, timeoutMs, maxBytes: 2 * MIB, room },
    userAgent: "nexusd/test",
  });
  return (path = "/") => http.request({ method: "GET", path, label: "GET /" });
};

test("many large answers at once arrive one after the other, all of them complete", async () => {
  const server = await serve((response) => void response.end("x".repeat(1_500_000)));
  const request = clientOf(server.origin);
  const answers = await Promise.all(Array.from({ length: 12 }, () => request()));
  expect(answers.map(({ body }) => body.length)).toEqual(Array.from({ length: 12 }, () => 1_500_000));
});

test("an answer without room until its deadline reports that, and leaves no room taken", async () => {
  let go = () => {};
  const server = await serve((response, { url }) => {
    response.write("x".repeat(1_900_000));
    if (url === "/held") go = () => void response.end();
    else response.end();
  });
  const room = createRoom(2 * MIB);
  const held = clientOf(server.origin, room)("/held");
  const place = room.open(2 * MIB);
  const isTaken = () => {
    const isFree = place.grow(2 * MIB, () => {});
    place.release();
    return !isFree;
  };
  await expect.poll(isTaken).toBe(true);
  const late = clientOf(server.origin, room, 300)();
  await expect(late).rejects.toMatchObject({ kind: "timeout", code: "room_timeout", retryable: true });
  go();
  expect((await held).body).toHaveLength(1_900_000);
  expect((await clientOf(server.origin, room)()).body).toHaveLength(1_900_000);
});

test("an answer that fails, is too large or is not a success releases its room", async () => {
  const server = await serve((response, { url }) => {
    if (url === "/error") response.writeHead(500).end("x".repeat(500_000));
    else if (url === "/cut") response.write("x".repeat(500_000), () => response.destroy());
    else response.end("x".repeat(url === "/large" ? 3_000_000 : 1_900_000));
  });
  const request = clientOf(server.origin);
  for (const path of ["/error", "/cut", "/large"])
    await expect(request(path)).rejects.toMatchObject({ name: "HttpError" });
  expect((await request()).body).toHaveLength(1_900_000);
});
