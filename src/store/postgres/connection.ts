// One PostgreSQL session: opened with a deadline, always set up the same way, dropped if it does not answer.

import { createHash } from "node:crypto";
import pg, { type QueryResult } from "pg";
import { ConnectionLost, endsSession, toPostgresError } from "./errors.ts";
import { fromText, toText } from "./text.ts";

const CONNECT_WITHIN_MS = 5000;
/** The server's limit for a statement, including a search and a wait for the lock on the head. */
const STATEMENT_WITHIN_MS = 10_000;
/** After this, the connection is dropped: the server or the network is gone. */
const ANSWER_WITHIN_MS = 15_000;
/** How long a node that stalls inside a transaction can hold the lock on the head. */
const IDLE_IN_TRANSACTION_MS = 5000;

export type Value = string | number | boolean | Buffer | null | readonly (string | number | Buffer | null)[];

export interface ConnectionSettings {
  url: string;
  schema: string;
  /** Named in errors: the address without user and password. */
  place: string;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  connectWithinMs?: number;
}

const INT8 = 20;
const TEXT_TYPES = new Set([25, 1043]);
const safeInteger = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the database holds ${text}, which is no sequence`);
  return value;
};
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (format !== "binary" && Number(oid) === INT8) return safeInteger;
    if (format !== "binary" && TEXT_TYPES.has(Number(oid))) return fromText;
    return pg.types.getTypeParser(oid, format);
  },
};

const names = new Map<string, string>();
/** The name of a prepared statement: the same text is planned once per connection. */
const nameOf = (text: string): string => {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = createHash("sha256").update(text).digest("base64url").slice(0, 20);
  names.set(text, name);
  return name;
};

export class Connection {
  readonly #client: pg.Client;
  /** The process id on the server. */
  readonly pid: number;
  #lost: Error | undefined;
  #onLost: ((error: Error) => void)[] = [];

  private constructor(client: pg.Client, pid: number) {
    this.#client = client;
    this.pid = pid;
    client.on("error", (error) => this.#lose(error));
    client.on("end", () => this.#lose(new ConnectionLost("the connection was closed")));
  }

  #lose(error: Error): void {
    if (this.#lost) return;
    this.#lost = error;
    for (const listener of this.#onLost) listener(error);
  }

  /** @throws StoreError */
  static async open(settings: ConnectionSettings): Promise<Connection> {
    const { url, schema, place, applicationName, connectWithinMs = CONNECT_WITHIN_MS } = settings;
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectWithinMs,
      query_timeout: ANSWER_WITHIN_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      application_name: applicationName,
      pipeline: true,
      types,
    });
    // Until connected, the promise reports errors; a listener keeps the process from crashing.
    client.on("error", () => {});
    try {
      await client.connect();
      // Not as startup parameters: a pooler refuses those with an obscure message.
      await client.query(
        `SET search_path TO "${schema}"; SET statement_timeout = ${STATEMENT_WITHIN_MS};
         SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};
         SET client_min_messages = warning; SET jit = off; SET default_transaction_isolation = 'read committed';
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`,
      );
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return new Connection(client, rows[0]?.pid ?? 0);
    } catch (error) {
      client.end().catch(() => {});
      const isServer = error instanceof pg.DatabaseError;
      throw toPostgresError(isServer ? error : new ConnectionLost(messageOf(error), { cause: error }), place);
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** The process id that the server announced on connect: behind a pooler it differs from `pid`. */
  get announcedPid(): number {
    // Missing in the types; pg sets it from the server's BackendKeyData.
    const { processID } = this.#client as pg.Client & { processID?: unknown };
    return typeof processID === "number" ? processID : 0;
  }

  onLost(listener: (error: Error) => void): void {
    if (this.#lost) listener(this.#lost);
    else this.#onLost.push(listener);
  }

  onNotification(listener: (channel: string, payload: string) => void): void {
    this.#client.on("notification", ({ channel, payload = "" }) => listener(channel, payload));
  }

  /** Statements are pipelined: sent without waiting for earlier answers, and answered in order. */
  async query<Row extends object>(text: string, values: readonly Value[] = []): Promise<Row[]> {
    return (await this.run<Row>(text, values)).rows;
  }

  /** @throws ConnectionLost, DatabaseError */
  async run<Row extends object>(text: string, values: readonly Value[] = []): Promise<QueryResult<Row>> {
    if (this.#lost) throw asLost(this.#lost);
    try {
      return await this.#client.query<Row>({ name: nameOf(text), text, values: values.map(written) });
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Several statements without values, in one message. @returns the result of the last one */
  async script<Row extends object>(text: string): Promise<QueryResult<Row>> {
    if (this.#lost) throw asLost(this.#lost);
    try {
      // pg returns an array for several statements, which its types do not say.
      const results: QueryResult<Row> | QueryResult<Row>[] = await this.#client.query<Row>(text);
      const last = Array.isArray(results) ? results.at(-1) : results;
      if (!last) throw new Error("no statement in a script");
      return last;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): unknown {
    const reported = asLost(error);
    if (endsSession(reported)) this.destroy();
    return reported;
  }

  /** Does not wait for pending statements. */
  destroy(error = new ConnectionLost("the connection was given up")): void {
    this.#lose(error);
    // Sends a Terminate message if possible; otherwise the socket times out on its own.
    this.#client.end().catch(() => {});
  }

  async end(): Promise<void> {
    this.#lose(new ConnectionLost("the store is closed"));
    await this.#client.end().catch(() => {});
  }
}

const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
};

/** Converts pg's errors for a lost connection, which have no class of their own. */
const asLost = (error: unknown): Error => {
  if (!(error instanceof Error)) return new ConnectionLost(String(error));
  if (error instanceof pg.DatabaseError || error instanceof ConnectionLost || error.name === "StoreError")
    return error;
  if ("code" in error && typeof error.code === "string") return error;
  if (/terminated|not queryable|timeout|closed|ended/i.test(error.message))
    return new ConnectionLost(error.message, { cause: error });
  return error;
};

const written = (value: Value): unknown =>
  typeof value === "string"
    ? toText(value)
    : Array.isArray(value)
      ? value.map((part) => (typeof part === "string" ? toText(part) : part))
      : value;
