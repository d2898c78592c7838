// Loads the jobs of a directory: one file a job, by default export. A bad file is a problem of its own, not of the rest.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { explainValue } from "../core/explain-issue.ts";
import { nearest } from "../core/text/nearest.ts";
import type { Job } from "./job.ts";
import { createSchedule, ScheduleError } from "./schedule.ts";

export interface LoadedJobs {
  jobs: Job[];
  /** `message` is for a person, and names the field where one is wrong. */
  problems: { file: string; message: string }[];
}

const EXAMPLE = 'export default { name: "my-job", description: "…", kind: "cron", … }';

const isJobFile = (name: string) =>
  /\.(js|mjs|ts|mts)$/.test(name) && !/\.(test|spec)\.|\.d\.m?ts$/.test(name) && !/^[._]/.test(name); // "_" marks a module that jobs share

/** What there is already. */
export interface Known {
  /** Names of jobs, which no other can have. */
  jobs: Iterable<string>;
  /** Those whose state a job can be. */
  services: readonly string[];
}

export async function loadJobs(
  directory: string,
  known: Known,
  importTimeoutMs = 10_000,
): Promise<LoadedJobs> {
  const loaded: LoadedJobs = { jobs: [], problems: [] };
  let names: string[];
  try {
    names = (await readdir(directory)).filter(isJobFile).sort();
  } catch (error) {
    const message = `cannot be read (${codeOf(error)}); create the directory, or correct [jobs] directory`;
    return { ...loaded, problems: [{ file: directory, message }] };
  }
  const owners = new Map([...known.jobs].map((name) => [name, "a job of nexusd"]));
  for (const name of names) {
    const file = join(directory, name);
    try {
      const job = parseJob(await importDefault(file, importTimeoutMs), known.services);
      const owner = owners.get(job.name);
      if (owner !== undefined) throw new Error(`name: ${JSON.stringify(job.name)} is taken by ${owner}`);
      owners.set(job.name, name);
      loaded.jobs.push(job);
    } catch (error) {
      loaded.problems.push({ file, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return loaded;
}

async function importDefault(file: string, timeoutMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const message = `did not finish loading within ${timeoutMs / 1000} s; a top-level await in it may never end`;
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  });
  const loading = import(pathToFileURL(file).href).catch((error) => {
    throw new Error(describeImportError(error, file));
  });
  try {
    const module: { default?: unknown } = await Promise.race([loading, tooLate]);
    if (module.default === undefined) throw new Error(`has no default export; write \`${EXAMPLE}\``);
    return module.default;
  } finally {
    clearTimeout(timer);
  }
}

function describeImportError(error: unknown, file: string): string {
  if (!(error instanceof Error)) return `throws when it is loaded: ${String(error)}`;
  if (error.name === "SyntaxError") {
    // Node.js puts the place first in the stack ("/…/job.ts:3") for TypeScript, but nowhere for JavaScript.
    const line = /^[^\n]*:(\d+)\n/.exec(error.stack ?? "")?.[1];
    return line === undefined
      ? `is not valid JavaScript: ${error.message}; \`node --check ${file}\` shows the place`
      : `is not valid TypeScript for Node.js, line ${line}: ${error.message}`;
  }
  return `throws when it is loaded: ${error.name}: ${error.message}`;
}

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";

const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === "function", {
  error: "must be a function",
});
const base = {
  name: z
    .string({ error: "must be a text" })
    .max(64)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower case words joined by "-", such as "my-job"'),
  description: z.string({ error: "must be a text" }).min(1, "must say what the job does"),
  service: z.string({ error: "must be a text" }).optional(),
  enabled: aFunction.optional(),
};
const always = { when: ({ value }: { value: unknown }) => typeof value === "object" && value !== null };
const cronJob = z
  .strictObject({
    ...base,
    kind: z.literal("cron"),
    schedule: z.union([z.string(), aFunction], {
      error: "must be a cron expression, or a function that gives one",
    }),
    timezone: z.string().optional(),
    catchUp: z.enum(["none", "once"]),
    run: aFunction,
  })
  // Also where other fields are wrong, so that all is said at once; what it reads may therefore be anything.
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
      error: "must be a whole number from 1, or a function that gives one",
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
    issue.code === "invalid_union" ? 'must be "cron", "paced" or "stream"' : "must be a job, an object",
});

/** The service is checked also where other fields are wrong. */
const schemaWith = (services: readonly string[]) =>
  jobSchema.superRefine((job: { service?: unknown }, context) => {
    if (job.service === undefined || services.includes(String(job.service))) return;
    const message = `must be ${services.map((name) => JSON.stringify(name)).join(" or ")}`;
    context.addIssue({ code: "custom", path: ["service"], message });
  }, always);

/** @throws Error naming every wrong field */
function parseJob(exported: unknown, services: readonly string[]): Job {
  const { success, error } = schemaWith(services).safeParse(exported, { error: explainValue });
  // The export itself and not zod's copy, so that a job may keep state on `this`. The schema has the shape of
  // Job but for the parameters of its functions, which nothing can check.
  if (success) return exported as Job;
  throw new Error(error.issues.flatMap((issue) => inWords(issue, exported)).join("; "));
}

function inWords(issue: z.core.$ZodIssue, exported: unknown): string[] {
  if (issue.code !== "unrecognized_keys")
    return [`${issue.path.join(".") || "default export"}: ${issue.message}`];
  const schema = jobSchema.options.find(
    ({ shape }) => shape.kind.safeParse((exported as { kind?: unknown }).kind).success, // it has keys: an object
  );
  const known = Object.keys(schema?.shape ?? {});
  return issue.keys.map((key) => {
    const [meant] = nearest(key, known);
    const hint = meant === undefined ? `known are ${known.join(", ")}` : `did you mean "${meant}"?`;
    return `${key}: is not a field of such a job: ${hint}`;
  });
}
