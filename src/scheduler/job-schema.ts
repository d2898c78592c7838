// What a job file must export, checked at run time, since a JavaScript file has no compiler to check it.

import { z } from "zod";
import type { OwnEventTable } from "../contract/event.ts";
import { isOwnType } from "../contract/event-names.ts";
import { explainValue } from "../core/explain-issue.ts";
import { nearest } from "../core/text/nearest.ts";
import type { Job } from "./job.ts";
import { createSchedule, ScheduleError } from "./schedule.ts";

/** A field that is wrong; `field` is empty for the export as a whole. */
export interface FieldFault {
  field: string;
  message: string;
}

const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === "function", {
  error: "must be a function",
});
/** A zod schema, from any copy of zod. */
const aSchema = z.custom<z.ZodType>(
  (value) => typeof value === "object" && value !== null && "safeParse" in value,
  { error: "must be a zod schema" },
);
const ownEvent = z.strictObject({
  when: z.string({ error: "must be a string" }).min(1, "must say when such an event is logged"),
  subject: z.string({ error: "must be a string or null" }).nullable().optional(),
  data: aSchema,
  example: z.unknown().optional(),
});
const base = {
  name: z
    .string({ error: "must be a string" })
    .max(64)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower case words joined by "-", such as "my-job"'),
  description: z.string({ error: "must be a string" }).min(1, "must say what the job does"),
  service: z.string({ error: "must be a string" }).optional(),
  begin: aFunction.optional(),
  lease: z.string({ error: "must be a string" }).optional(),
  enabled: aFunction.optional(),
  settings: aSchema.optional(),
  events: z.record(z.string(), ownEvent, { error: "must be a table of event types" }).optional(),
};
const always = { when: ({ value }: { value: unknown }) => typeof value === "object" && value !== null };
const cronJob = z
  .strictObject({
    ...base,
    kind: z.literal("cron"),
    schedule: z.union([z.string(), aFunction], {
      error: "must be a cron expression, or a function that returns one",
    }),
    timezone: z.string().optional(),
    catchUp: z.enum(["none", "once"]),
    run: aFunction,
  })
  // Runs even if other fields are wrong, so that all problems are reported at once; its input may be anything.
  .superRefine(({ schedule: expression, timezone }: Record<string, unknown>, context) => {
    if (typeof expression !== "string") return;
    try {
      createSchedule(expression, typeof timezone === "string" ? timezone : undefined);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      context.addIssue({ code: "custom", path: [error.field], message: error.reason });
    }
  }, always);
const pacedJob = z.strictObject({
  ...base,
  kind: z.literal("paced"),
  lanes: aFunction.optional(),
  paceMs: aFunction,
  concurrency: z
    .union([z.int().positive(), aFunction], {
      error: "must be an integer of at least 1, or a function that returns one",
    })
    .optional(),
  intervalMs: aFunction.optional(),
  step: aFunction,
});
const streamJob = z.strictObject({
  ...base,
  kind: z.literal("stream"),
  intervalMs: aFunction,
  run: aFunction,
});
const jobSchema = z.discriminatedUnion("kind", [cronJob, pacedJob, streamJob], {
  error: (issue) =>
    issue.code === "invalid_union" ? 'must be "cron", "paced" or "stream"' : "must be a job object",
});

/** The service and the events are checked even if other fields are wrong. */
const schemaWith = (services: readonly string[]) =>
  jobSchema.superRefine((job: { service?: unknown; events?: unknown }, context) => {
    if (job.service !== undefined && !services.includes(String(job.service))) {
      const message = `must be ${services.map((name) => JSON.stringify(name)).join(" or ")}`;
      context.addIssue({ code: "custom", path: ["service"], message });
    }
    const events = z.record(z.string(), ownEvent).safeParse(job.events ?? {});
    for (const { type, message } of events.success ? eventFaults(events.data as OwnEventTable) : []) // exact optionals
      context.addIssue({ code: "custom", path: ["events", type], message });
  }, always);

const OWN_TYPE = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/;

function* eventFaults(events: OwnEventTable): Generator<{ type: string; message: string }> {
  for (const [type, { data, example }] of Object.entries(events)) {
    if (!OWN_TYPE.test(type)) yield { type, message: 'must have a name like "shop.report.made"' };
    else if (!isOwnType(type))
      yield { type, message: `must not begin with "${type.split(".")[0]}", which nexusd's own events use` };
    const fault = example === undefined ? undefined : data.safeParse(example, { error: explainValue }).error;
    for (const { path, message } of fault?.issues ?? [])
      yield { type, message: `example${path.map((part) => `.${String(part)}`).join("")}: ${message}` };
  }
}

/** @returns the job, or everything that is wrong with it */
export function parseJob(exported: unknown, services: readonly string[]): Job | FieldFault[] {
  const { success, error } = schemaWith(services).safeParse(exported, { error: explainValue });
  // Returns the export itself, not zod's copy, so that a job can keep state on `this`. The schema has the shape of Job
  // except for the parameters of its functions, which cannot be checked.
  if (success) return exported as Job;
  return error.issues.flatMap((issue) => faultsOf(issue, exported));
}

function faultsOf(issue: z.core.$ZodIssue, exported: unknown): FieldFault[] {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [{ field: path, message: issue.message }];
  const schema = jobSchema.options.find(
    ({ shape }) => shape.kind.safeParse((exported as { kind?: unknown }).kind).success, // it has keys, so it is an object
  );
  const known = path === "" ? Object.keys(schema?.shape ?? {}) : Object.keys(ownEvent.shape);
  return issue.keys.map((key) => {
    const [meant] = nearest(key, known);
    const hint = meant === undefined ? `known fields are ${known.join(", ")}` : `did you mean "${meant}"?`;
    return {
      field: path === "" ? key : `${path}.${key}`,
      message: `is not a field of this kind of job: ${hint}`,
    };
  });
}
