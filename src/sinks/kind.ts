// The port that a kind of sink implements. Each has a file here, and a line in list.ts; what decides when to wake
// (machine.ts) knows nothing about how.

import type { Logger } from "pino";
import type { z } from "zod";
import type { Notice } from "../contract/notice-shape.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { HttpClient } from "../http/client.ts";
import type { HttpClientOptions } from "../http/transport.ts";

export interface SinkKind<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** `kind` of `[[sinks]]`, and in status. */
  readonly name: string;
  /**
   * Its own keys of the table, beside those that all kinds have (settings.ts). A key that refers to a secret has
   * `secretRef` of core/settings.ts as its schema, `.optional()` where it may be missing.
   */
  readonly settings: Shape;
  /** Those of its keys that refer to secrets. */
  readonly secrets: readonly string[];
  /** The key with the address that they are sent to; null: it sends none. */
  readonly address: string | null;
  /** The variables of the daemon's environment that reach its target; a secret is never among them. */
  passesOn?(settings: Readonly<Record<string, unknown>>): string[];
  /** What is wrong with its keys in combination, each with its key. They may be of any type, or missing. */
  check?(settings: Readonly<Record<string, unknown>>): { key: string; message: string }[];
  /** A visible reason, for a person, why it cannot work; undefined: none. */
  examine?(settings: z.output<z.ZodObject<Shape>>): Promise<{ detail: string; remedy: string } | undefined>;
  /** Called again if the settings or secrets have changed. It loads its code here, so that other commands need not. */
  create(context: TargetContext<z.output<z.ZodObject<Shape>>>): Promise<Target>;
}

/** For the compiler to know the settings in `create`. */
export const defineKind = <Shape extends z.ZodRawShape>(kind: SinkKind<Shape>): SinkKind<Shape> => kind;

export interface TargetContext<Settings> {
  /** The name of the sink, and that of its consumer. */
  sink: string;
  consumer: string;
  settings: Settings;
  version: string;
  clock: Clock;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  /** It has the name of the sink. */
  log: Logger;
  /**
   * To read what is handed over, where that is more than a notice, and to remember what is on its way under a cursor of
   * its own. The engine alone acknowledges.
   */
  store: Pick<Store, "epoch" | "readEvents" | "readConsumer" | "readCursor" | "commitObservation">;
  /** agent.sock, for what is started here. */
  agentSocket: string;
  /** The value of one of `secrets`; undefined where it is not configured. */
  secret(key: string): string | undefined;
  /** Bound to its origin, without redirects to another, on connections that all sinks share. */
  http(options: Pick<HttpClientOptions, "origin" | "timeoutMs"> & Partial<HttpClientOptions>): HttpClient;
}

export interface Target {
  /** The least time between two wakes, in ms; default 0. */
  readonly leastIntervalMs?: number;
  /** Identifies what is woken: `leastIntervalMs` applies across all targets with the same one. */
  readonly lane?: string;
  /**
   * Delivers once. Never called twice at the same time. It has its own deadline, and resolves soon after the signal
   * aborts, with any result. `wakeId` identifies this wake. An exception counts as a refusal, and is shown to nobody.
   */
  hand(notice: Notice, options: { signal: AbortSignal; wakeId: string }): Promise<Outcome>;
  /** Terminates what a wake of a killed nexusd left running. */
  endAbandoned?(wakeId: string): Promise<void>;
  /** At the end of its life, when nothing of `hand` is under way. */
  close?(): Promise<void>;
}

export type Outcome =
  /** The target accepted the wake. That says nothing about who reads. */
  | { kind: "heard" }
  /** The events up to this sequence were accepted: the consumer moves there, and the rest is next at once. */
  | { kind: "acknowledged"; upTo: number }
  | Refusal;

export interface Refusal {
  kind: "refused";
  /** In snake_case, of our own. */
  code: string;
  /** Words of our own that end with what to do: it stands in an event. */
  message: string;
  /** The least wait before the next attempt, in ms. */
  retryAfterMs?: number;
  /** It is permanent: the sink is paused until an operator resumes it. */
  isFinal?: boolean;
}
