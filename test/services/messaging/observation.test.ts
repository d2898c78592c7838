import { describe, expect, it } from "vitest";
import { isOtherBoot } from "../../../src/services/messaging/membership/boot.ts";
import {
  afterTraffic,
  newSession,
  type Session,
} from "../../../src/services/messaging/membership/session.ts";
import { observeMembers } from "../../../src/services/messaging/membership/session-events.ts";
import {
  observePage as observe,
  pollAfter,
  saysNothing,
} from "../../../src/services/messaging/reading/observation.ts";
import type { MessagePage } from "../../../src/services/messaging/reading/page.ts";
import fc from "../../support/fc.ts";

const session: Session = {
  ...newSession({
    sessionId: "ab".repeat(24),
    alias: "room",
    baseUrl: "https://messaging.md",
    agentId: "me",
  }),
  state: "joined",
};
const NOW = 1_000_000;
const observePage = (
  before: Session,
  read: MessagePage,
  after: string | null,
  bootAt: number | null,
  checkedAt: number | null = null,
) => observe(before, read, after, { bootAt, checkedAt, now: NOW });
const message = (cursor: string, agentId = "peer", text = `message ${cursor}`) => ({
  id: `id-${cursor}`,
  agentId,
  text,
  json: undefined,
  cursor,
  verified: true,
  expiresAt: null,
});
const page = (cursors: string[], nextCursor?: string): MessagePage => ({
  messages: cursors.map((cursor) => message(cursor)),
  nextCursor,
});
const received = (events: { type: string; subject?: string }[]) =>
  events.filter(({ type }) => type === "messaging.message.received").map(({ subject }) => subject);

describe("the contents of a page", () => {
  it("are skipped if they contain nothing new: they would change nothing", () => {
    const cursor = fc.constantFrom(null, "7", "8", "9007199254740993");
    const boot = fc.constantFrom(null, 1_000, 900_000);
    const quiet = fc.record({
      cursor,
      after: cursor,
      nextCursor: fc.constantFrom(null, undefined, "7", "8"),
      inDoubtSince: fc.constantFrom(null, null, 5),
      serverBootAt: boot,
      bootAt: boot,
      members: fc.constantFrom(undefined, [{ agentId: "peer" }]),
      ctrl: fc.constantFrom(undefined, null, { challenge: "answer me" }),
      messages: fc.constantFrom([], [], [message("9")]),
    });
    let said = 0;
    fc.assert(
      fc.property(quiet, ({ after, bootAt, nextCursor, members, ctrl, messages, ...known }) => {
        const before = { ...session, ...known };
        const read: MessagePage = {
          messages: [...messages],
          nextCursor,
          members: members && [...members],
          ctrl,
        };
        if (!saysNothing(before, read, after, bootAt)) return;
        said += 1;
        const seen = observePage(before, read, after, bootAt);
        const looked = observeMembers(seen.session, read);
        expect([...seen.events, ...looked.events]).toEqual([]);
        expect(looked.session).toEqual(before);
      }),
      { numRuns: 5000 },
    );
    expect(said).toBeGreaterThan(50);
  });

  it("the greeting at cursor 0 is a message like any other", () => {
    const seen = observePage(session, page(["0"], "0"), null, null);
    expect(received(seen.events)).toEqual(["id-0"]);
    expect(seen.session.cursor).toBe("0");
  });

  it("messages out of order are logged in order of their cursors, even above 2^53", () => {
    const big = ["9007199254740995", "9007199254740993", "9007199254740994"];
    const seen = observePage(session, page(big), null, null);
    expect(received(seen.events)).toEqual(big.toSorted().map((cursor) => `id-${cursor}`));
    expect(seen.session.cursor).toBe("9007199254740995");
  });

  it("own messages move the cursor and are not events", () => {
    const seen = observePage(session, { messages: [message("5", "me")], nextCursor: "5" }, "4", null);
    expect(seen.events).toEqual([]);
    expect(seen.session.cursor).toBe("5");
  });

  it("an empty page changes nothing", () => {
    const joined = { ...session, cursor: "57" };
    const seen = observePage(joined, { messages: [], nextCursor: undefined }, "57", null);
    expect(seen.events).toEqual([]);
    expect(seen.session).toEqual(joined);
  });

  it("a cursor that went back is checked from the start, and is not a restart by itself", () => {
    const seen = observePage({ ...session, cursor: "57" }, page(["2"], "3"), "57", null);
    expect(seen).toMatchObject({ restarted: false, session: { cursor: "57", inDoubtSince: NOW } });
    expect(received(seen.events)).toEqual(["id-2"]);
    expect(pollAfter(seen.session, null)).toBeNull();
    const whole = observePage(seen.session, page(["1", "3"], "3"), null, null);
    expect(whole.events[0]).toMatchObject({
      type: "messaging.session.restarted",
      data: { generation: 2, lastCursor: "57" },
    });
    expect(whole.session).toMatchObject({ cursor: "3", inDoubtSince: null });
  });

  it("an older page that is repeated is not a restart", () => {
    const read = observePage(session, page(["1", "2", "3"], "3"), null, 1000).session;
    const again = observePage(read, page(["1"], "1"), "3", 1000).session;
    const whole = observePage(again, page(["1", "2", "3"], "3"), null, 1000);
    expect(whole).toMatchObject({
      restarted: false,
      session: { cursor: "3", generation: 1, inDoubtSince: null },
    });
  });

  it("a server's claim that it did not restart is believed, until it reports a start after the doubt arose", () => {
    const read = observePage(session, page(["1", "2"], "2"), null, 1000).session;
    const behind = observePage(read, page([], "0"), "2", 1000, NOW - 1).session;
    const again = observePage(behind, page([], "0"), null, 1000, NOW - 1);
    expect(again).toMatchObject({ restarted: false, session: { cursor: "2", inDoubtSince: NOW } });
    expect(observePage(again.session, page([], "0"), null, 1000, NOW + 1)).toMatchObject({
      restarted: true,
      session: { cursor: "0", generation: 2, inDoubtSince: null },
    });
  });

  it("a restart is detected even if new messages were read before it was known", () => {
    const old = observePage(session, page(["1"], "1"), null, 1000, NOW - 1).session;
    const after = { messages: [{ ...message("2"), id: "new-2" }], nextCursor: "2" };
    const mixed = observePage(old, after, "1", 1000, NOW + 1).session;
    const whole = { messages: [{ ...message("1"), id: "new-1" }, ...after.messages], nextCursor: "2" };
    expect(observePage(mixed, whole, null, 60_000, NOW + 2)).toMatchObject({ restarted: true });
  });

  it("a restart is detected even if the new messages have reached the old cursor", () => {
    const read = { ...observePage(session, page(["1", "2"], "2"), null, 1000).session };
    const others = { messages: [message("1"), { ...message("2"), id: "new" }], nextCursor: "2" };
    expect(observePage(read, others, null, 60_000)).toMatchObject({ restarted: true });
    // A wall clock that jumped looks like a restart; the same message at the same place proves otherwise.
    expect(observePage(read, page(["1", "2"], "2"), null, 60_000)).toMatchObject({
      restarted: false,
      session: { serverBootAt: 60_000 },
    });
  });

  it("a challenge is an event, once, however often it is repeated", () => {
    const seen = observePage(
      session,
      { messages: [], nextCursor: "0", ctrl: { challenge: { id: "c1" } } },
      null,
      null,
    );
    expect(seen.events).toMatchObject([
      { type: "messaging.session.challenged", data: { challenge: { id: "c1" } }, dedupe: {} },
    ]);
  });

  it("members that come and go are reported, after the first reading and without ourselves", () => {
    const look = (current: Session, ...members: string[]) =>
      observeMembers(current, { messages: [], members: members.map((agentId) => ({ agentId })) });
    const first = look(session, "me", "a");
    expect(first.events).toEqual([]);
    const second = look(first.session, "a", "b");
    expect(second.events).toMatchObject([{ type: "messaging.member.joined", data: { agentId: "b" } }]);
    const third = look(second.session, "me", "b", "b");
    expect(third.events).toMatchObject([{ type: "messaging.member.left", data: { agentId: "a" } }]);
  });

  it("traffic postpones the end of a session, and never advances it", () => {
    const timed = { ...session, ttlMs: 1000, expiresAt: new Date(5000).toISOString() };
    expect(afterTraffic(timed, 4500).expiresAt).toBe(new Date(5500).toISOString());
    expect(afterTraffic(timed, 3000)).toBe(timed);
  });

  it("a full reading after a restart adopts the new cursors", () => {
    const seen = observePage(
      { ...session, cursor: "57", serverBootAt: 0 },
      page(["1", "2"], "2"),
      null,
      60_000,
    );
    expect(seen.session).toMatchObject({ cursor: "2", generation: 2, serverBootAt: 60_000 });
    expect(received(seen.events)).toEqual(["id-1", "id-2"]);
  });

  it("an uptime that varies with network delay is not a restart", () => {
    expect(isOtherBoot({ serverBootAt: 100_000 }, 103_000)).toBe(false);
    expect(isOtherBoot({ serverBootAt: 100_000 }, 160_000)).toBe(true);
  });

  it("a cursor left by another client is believed if its message is there, and the messages after it are logged", () => {
    const imported = { ...session, cursor: "57" };
    expect(pollAfter(imported, 50_000)).toBeNull();
    const seen = observePage(imported, page(["1", "57", "58"]), null, 50_000);
    expect(received(seen.events)).toEqual(["id-58"]);
    expect(pollAfter(seen.session, 50_000)).toBe("58");
  });

  it("a cursor left by another client is not believed if the server has fewer messages", () => {
    const imported = { ...session, cursor: "57" };
    const first = observePage(imported, page(["1", "2", "3"]), null, 50_000, 60_000);
    const again = observePage(first.session, page(["1", "2", "3"]), null, 50_000, NOW + 1);
    expect(again.restarted).toBe(true);
    expect(received([...first.events, ...again.events])).toEqual(
      ["id-1", "id-2", "id-3", "id-1", "id-2", "id-3"], // the log stores each once
    );
    expect(again.session.cursor).toBe("3");
  });

  it("pages split anywhere, with any repetitions, give every message of others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 50 }),
        fc.array(fc.nat(5), { maxLength: 60 }),
        (own, cuts) => {
          const all = own.map((isOwn, n) => message(String(n), isOwn ? "me" : "peer"));
          let current = session;
          const got = new Set<string | undefined>();
          const poll = (count: number) => {
            const after = current.cursor;
            const rest = all.filter(({ cursor }) => after === null || BigInt(cursor) > BigInt(after));
            const part = rest.slice(0, count);
            const next = part.at(-1)?.cursor ?? after ?? undefined;
            const seen = observePage(current, { messages: part, nextCursor: next }, after, null);
            expect(seen.restarted).toBe(false);
            for (const id of received(seen.events)) got.add(id);
            current = seen.session;
          };
          for (const cut of cuts) poll(cut);
          poll(all.length);
          expect([...got]).toEqual(all.filter(({ agentId }) => agentId === "peer").map(({ id }) => id));
        },
      ),
    );
  });
});
