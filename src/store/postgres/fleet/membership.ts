// The node's own session: renews its leases each second, sees how the others do, and tells them what it did.

import type { Clock } from "../../../core/clock.ts";
import { Connection, type ConnectionSettings } from "../connection.ts";
import { ConnectionLost } from "../errors.ts";
import { claimSlot, endSessions, SLOTS } from "./slots.ts";
import { LEASE_MS, type Tenure } from "./tenure.ts";

const RENEW_MS = 1000;
const AGAIN_MS = 250;
/** A session that takes longer is given up: the way to the server is cut, and it would not find out for minutes. */
const ANSWER_WITHIN_MS = 3000;
const CONNECT_WITHIN_MS = 2000;

/** Another run of a daemon, as its row shows it. */
export interface Peer {
  name: string;
  incarnation: number;
  beat: number;
  given: number;
  state: "up" | "draining" | "lost";
}

/** What is read with each renewal. */
export interface Look {
  epoch: string | null;
  latest: number;
  id: string | null;
}

export interface MembershipOptions {
  settings: ConnectionSettings;
  /** Has its lock. */
  first: Connection;
  clock: Pick<Clock, "monotonic" | "after" | "sleep">;
  incarnation: number;
  tenure: Tenure;
  /** Whether another session of this node holds its lock as well. */
  isAnchored(): boolean;
  /** Refuses a database that is not the same any more. @throws StoreError */
  verify(connection: Connection): Promise<void>;
  /** A renewal was answered. */
  onLook(look: Look): void;
  /** Nodes came, left, were lost, or gave leases back. */
  onChange(): void;
  /** The others gave this node up: it has no leases, and can be one of them again. @returns false: another run replaced it */
  onGivenUp(): Promise<boolean>;
  /** A node was silent for as long as a lease lasts. */
  onSilent(peer: Peer): Promise<void>;
  /** The session is lost. */
  onLost(): void;
  /** The way to the server is cut: no connection that was open before is of use. */
  onCut(): void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #closing = new AbortController();
  #session: Connection | undefined;
  #peers: Peer[] = [];
  /** When a beat of another node was read first. */
  #since = new Map<number, { beat: number; at: number }>();
  #fingerprint = "";
  #wake = () => {};
  #isHurried = false;
  #first: Connection | undefined;
  #isUnanswered = false;
  readonly #started = Promise.withResolvers<void>();
  readonly #done: Promise<void>;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#first = options.first;
    this.#done = this.#run().finally(() => this.#started.resolve());
  }

  /** The first renewal was answered, or failed. */
  started(): Promise<void> {
    return this.#started.promise;
  }

  /** The other nodes that are not lost, by name, as they were at the last renewal. */
  peers(): readonly Peer[] {
    return this.#peers;
  }

  /** The session, if there is one. Statements on it must not wait for a lock. */
  session(): Connection | undefined {
    return this.#session?.isLost ? undefined : this.#session;
  }

  /** Renews and looks now. */
  hurry(): void {
    this.#isHurried = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#done;
    await this.#session?.end();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const session = await this.#open().catch(() => undefined);
      if (!session) {
        if (this.#isUnanswered) this.#options.onCut();
        this.#isUnanswered = false;
        this.#started.resolve();
        await this.#sleep(AGAIN_MS);
        continue;
      }
      this.#session = session;
      session.onLost(() => {
        this.#options.onLost();
        this.#wake();
      });
      while (!signal.aborted && !session.isLost) {
        this.#isHurried = false;
        // An error of a statement is met again by the next one; one of the connection ends it.
        const nextAt = await this.#beat(session).catch(() => this.#options.clock.monotonic() + AGAIN_MS);
        this.#started.resolve();
        if (!this.#isHurried) await this.#sleep(nextAt - this.#options.clock.monotonic());
      }
    }
  }

  async #open(): Promise<Connection> {
    const { settings, incarnation, verify, clock } = this.#options;
    const first = this.#first;
    this.#first = undefined;
    const session = first ?? (await Connection.open({ ...settings, connectWithinMs: CONNECT_WITHIN_MS }));
    try {
      await this.#inTime(session, verify(session));
      if (first) return first;
      await this.#inTime(
        session,
        claimSlot(session, incarnation + SLOTS.fleet, (ms) => clock.sleep(ms)),
      );
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  /** @returns when the next one is due */
  async #beat(session: Connection): Promise<number> {
    const { clock, tenure, incarnation, isAnchored, onLook, onGivenUp } = this.#options;
    const sentAt = clock.monotonic();
    const [[renewed], rows, [look]] = await this.#inTime(
      session,
      Promise.all([
        session.query<{ ok: boolean }>("SELECT node_renew($1, $2) AS ok", [incarnation, isAnchored()]),
        session.query<Peer>("SELECT name, incarnation, beat, given, state FROM nodes ORDER BY name"),
        session.query<Look>(
          "SELECT latest, last_id AS id, (SELECT value FROM meta WHERE key = 'epoch') AS epoch FROM head",
        ),
      ]),
    );
    const readAt = clock.monotonic();
    if (renewed?.ok) tenure.renew(sentAt);
    else {
      tenure.end("the other nodes had not heard of this one");
      if (!(await onGivenUp())) return readAt + RENEW_MS;
      return readAt;
    }
    if (look) onLook(look);
    return this.#see(session, rows, sentAt, readAt);
  }

  async #see(session: Connection, rows: readonly Peer[], sentAt: number, readAt: number): Promise<number> {
    const { incarnation, onChange, onSilent } = this.#options;
    let nextAt = sentAt + RENEW_MS;
    const since = new Map<number, { beat: number; at: number }>();
    this.#peers = rows.filter((row) => row.state !== "lost" && row.incarnation !== incarnation);
    const silent: Peer[] = [];
    for (const peer of this.#peers) {
      const before = this.#since.get(peer.incarnation);
      const first = before?.beat === peer.beat ? before : { beat: peer.beat, at: readAt };
      since.set(peer.incarnation, first);
      // From the answer of the first read to the sending of this one.
      if (sentAt - first.at >= LEASE_MS) silent.push(peer);
      else nextAt = Math.min(nextAt, Math.max(readAt, first.at + LEASE_MS + 1));
    }
    this.#since = since;
    const fingerprint = JSON.stringify(rows.map((row) => [row.incarnation, row.state, row.given]));
    const isChanged = fingerprint !== this.#fingerprint;
    this.#fingerprint = fingerprint;
    if (isChanged) onChange();
    for (const peer of silent) {
      // It could hold the head, for which everything else waits.
      await this.#inTime(
        session,
        endSessions(session, peer.incarnation, peer.incarnation + SLOTS.writer),
      ).catch(() => {});
      // Not awaited: the own leases must be renewed in time.
      onSilent(peer).catch(() => {});
    }
    return nextAt;
  }

  async #inTime<T>(session: Connection, work: Promise<T>): Promise<T> {
    const stop = this.#options.clock.after(ANSWER_WITHIN_MS, () => {
      this.#isUnanswered = true;
      session.destroy(new ConnectionLost("the server does not answer"));
    });
    try {
      return await work;
    } finally {
      stop();
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closing.signal.aborted) return resolve();
      const stop = this.#options.clock.after(ms, () => this.#wake());
      this.#wake = () => {
        stop();
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
