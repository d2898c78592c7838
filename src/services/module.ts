// How the rest of nexusd meets a service. Each has a folder here with a module.ts, and a line in list.ts; nothing else
// knows which services there are.

import type { z } from "zod";

/** What is known of a service before any of its code is loaded. */
export interface ServiceModule {
  /** Its table in the configuration, the first part of its operations and events, and its name in status and metrics. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** Its table. It has `enabled` and `base_url`. */
  readonly settings: z.ZodType<{ enabled: boolean; base_url: string }>;
  /** The keys of its table that refer to secrets. */
  readonly secrets: readonly string[];
  /** The tables of its jobs, by their names. */
  readonly jobSettings: Readonly<Record<string, z.ZodType>>;
  /** Who decides about its writes where the configuration does not say. */
  readonly approval: "operator" | "auto";
  /** The beginning of the names of operations that are known only once the service was asked; null: it has none. */
  readonly runtimePrefix: string | null;
  /** For a read as a whole, repetitions and the wait for a place included. */
  readonly readWithinMs: number;
  /** For one that a write depends on. */
  readonly lookWithinMs: number;
}
