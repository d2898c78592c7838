// [[sinks]]: wakes a runtime, or delivers to it, when a consumer has something to read.

import { z } from "zod";
import { consumerName, typePattern } from "../contract/api/fields.ts";
import { unknownType } from "../contract/event-names.ts";
import { isObject } from "../core/is-object.ts";
import { always, duration, whole } from "../core/settings.ts";
import type { SinkKind } from "./kind.ts";
import { SINK_KINDS } from "./list.ts";

const NOT_A_NAME = 'must be 1 to 64 letters, digits, ".", "-" or "_", and begin with a letter or digit';

const knownType = typePattern.superRefine((pattern, context) => {
  // Types of jobs of one's own are known once those are loaded: config/own-settings.ts looks again.
  const message = unknownType(pattern);
  if (message !== undefined) context.addIssue({ code: "custom", input: pattern, message });
});

const NOT_TYPES =
  'must be the types of events that are worth a wake, such as ["messaging.message.received"]; ["*"] is all of them';

/** What every sink has. */
const common = {
  name: z.string({ error: NOT_A_NAME }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: NOT_A_NAME }),
  types: z.array(knownType, { error: NOT_TYPES }).min(1, { error: NOT_TYPES }).max(100).default(["*"]),
  consumer: consumerName.optional(),
  debounce: duration("2s", "0s", "1h"),
  stuck_after: duration("10m", "100ms", "30d"),
  max_wakes_per_hour: whole.min(1).max(3600).default(20),
};

const KINDS: readonly SinkKind[] = SINK_KINDS;

const tables = KINDS.map((kind) =>
  z
    .strictObject({ ...common, kind: z.literal(kind.name), ...kind.settings })
    .superRefine((settings, context) => {
      for (const { key, message } of kind.check?.(settings) ?? [])
        context.addIssue({ code: "custom", path: [key], input: undefined, message });
    }, always)
    .transform((settings) => ({ ...settings, consumer: settings.consumer ?? settings.name })),
);

const kindNames = KINDS.map(({ name }) => JSON.stringify(name));
const NO_KIND = `must be ${[kindNames.slice(0, -1).join(", "), kindNames.at(-1)].filter(Boolean).join(" or ")}`;

const [first, ...others] = tables;
if (!first) throw new Error("there is no kind of sink");

const table = z.discriminatedUnion("kind", [first, ...others], {
  error: (issue) => (issue.code === "invalid_union" ? NO_KIND : undefined),
});

export const sinkSettings = z.array(table).superRefine(
  (sinks: readonly unknown[], context) => {
    const names = new Set<unknown>();
    const consumers = new Set<unknown>();
    sinks.forEach((sink, index) => {
      if (!isObject(sink)) return;
      const { name, consumer = name } = sink;
      const twice = (key: string, value: unknown, message: string) =>
        context.addIssue({ code: "custom", path: [index, key], input: value, message });
      if (typeof name === "string" && names.has(name))
        twice("name", name, "is the name of another sink, too: each has a name of its own");
      else if (typeof consumer === "string" && consumers.has(consumer))
        twice("consumer", consumer, "is the consumer of another sink, too: each has a consumer of its own");
      names.add(name);
      consumers.add(consumer);
    });
  },
  { when: ({ value }) => Array.isArray(value) },
);
/** The settings of one sink of any kind: what all have, and the keys of its own. Durations are in ms. */
export interface SinkSettings extends Record<string, unknown> {
  name: string;
  kind: string;
  types: string[];
  consumer: string;
  debounce: number;
  stuck_after: number;
  max_wakes_per_hour: number;
}

/** @throws Error where there is none of this name */
export function kindNamed(name: string): SinkKind {
  const found = KINDS.find((kind) => kind.name === name);
  if (found) return found;
  throw new Error(`there is no kind of sink ${name}`);
}
