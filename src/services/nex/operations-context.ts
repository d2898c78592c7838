// Nex's knowledge: questions, texts to learn from, lists made on request, insights, and its maintenance jobs.

import { z } from "zod";
import { fieldsOf, prose } from "../input.ts";
import type { OperationAnswer } from "../operation.ts";
import { LIST_LIMIT } from "./client.ts";
import { readInsights } from "./insights.ts";
import { type Fields, id, mayHaveMore, nexTable, one, unknownShape, whole } from "./operation.ts";

const wholeSeconds = () => z.iso.datetime({ precision: 0 });

/** The id of the work that Nex has started: a string in one of its descriptions, an integer in the other. */
const started =
  (field: "artifact_id" | "job_id" | "job_run_id", as: string) =>
  (answer: OperationAnswer, _input: Fields, label: string): Fields => {
    const found = fieldsOf(whole(answer))[field];
    if (typeof found !== "string" && typeof found !== "bigint" && !Number.isSafeInteger(found))
      throw unknownShape(answer.status, label);
    return { [as]: String(found), ...(as === "jobId" && { status: fieldsOf(whole(answer)).status ?? null }) };
  };

export const contextOperations = nexTable([
  {
    name: "nex.context.ask",
    call: "POST /context/ask",
    effect: "read",
    title: "Ask about people, companies and deals",
    description: "Answers a question in words, from everything that Nex knows. It takes up to a minute.",
    input: () => ({ query: prose.describe("The question, in natural language") }),
    output: whole,
  },
  {
    name: "nex.context.add_text",
    call: "POST /context/text",
    effect: "write",
    idempotent: false,
    title: "Let Nex learn from a text",
    description:
      "Gives Nex a text (call notes, an e-mail), from which it extracts people, companies and insights. nexusd follows the work: the result comes as the event nexusd.nex.context.completed, or .failed.",
    input: () => ({
      content: prose.describe("The text"),
      context: prose.optional().describe("What the text is, such as notes of a sales call"),
    }),
    output: started("artifact_id", "artifactId"),
    howToFindOut: "Ask nex.context.ask about something that only this text says, or look in Nex.",
  },
  {
    name: "nex.context.get_artifact",
    call: "GET /context/artifacts/{artifactId}",
    effect: "read",
    title: "Show what Nex extracted from a text",
    description: "How far Nex is with a text, and what it found in it.",
    input: () => ({ artifactId: id("The id that nex.context.add_text returned") }),
    output: one("artifact"),
  },
  {
    name: "nex.context.list_jobs",
    call: "POST /context/list/jobs",
    // It changes no record, but each call is work that Nex does and counts: it must not be repeated automatically.
    effect: "write",
    idempotent: false,
    title: "Let Nex make a list",
    description:
      "Starts a job that looks for people or companies that match a description in words. It changes no record, but it is work for Nex that may count against the plan, so it is proposed as a write and sent once. nexusd follows the work: the list comes as the event nexusd.nex.context.completed, or .failed.",
    input: () => ({
      query: prose.describe("Whom to look for, in natural language"),
      objectType: z.enum(["contact", "company"]).optional().describe("What to look for; default: contact"),
      limit: z.int().min(1).max(100).optional().describe("At most this many; default: 50"),
      includeAttributes: z.boolean().optional().describe("Whether to return all attributes of each"),
    }),
    output: started("job_id", "jobId"),
    howToFindOut:
      "There is nothing to find out: it changed no record. Propose it again if the list is needed.",
  },
  {
    name: "nex.context.get_list_job",
    call: "GET /context/list/jobs/{jobId}",
    effect: "read",
    title: "Show a list that Nex makes",
    description: "How far Nex is with a list, and what is in it.",
    input: () => ({
      jobId: id("The id that nex.context.list_jobs returned"),
      includeAttributes: z.boolean().optional().describe("Whether to return all attributes of each"),
    }),
    output: one("job"),
  },
  {
    name: "nex.insights.list",
    call: "GET /insights",
    effect: "read",
    title: "List insights",
    description:
      "The insights of a period, by default the latest. `mayHaveMore`: the limit was reached, and a shorter period shows the rest. Insights that nexusd has received are in its log.",
    input: () => ({
      last: z
        .string()
        .regex(/^(?!0+[hm])(?:\d{1,4}h)?(?:\d{1,4}m)?$/, "must be hours and minutes, such as 90m or 1h30m")
        .min(2)
        .optional()
        .describe("The period up to now, in hours and minutes: 30m, 2h, 1h30m"),
      from: wholeSeconds().optional().describe("The start of the period, UTC, in whole seconds; with `to`"),
      to: wholeSeconds().optional().describe("The end of the period, UTC, in whole seconds; with `from`"),
      limit: z.int().min(1).max(LIST_LIMIT).default(20).describe("At most this many insights"),
    }),
    rules: (schema) =>
      schema
        .refine(({ from, to }) => (from === undefined) === (to === undefined), {
          path: ["to"],
          message: "from and to belong together",
        })
        .refine(({ last, from }) => last === undefined || from === undefined, {
          path: ["last"],
          message: "cannot be combined with from and to",
        })
        .refine(({ from, to }) => !(Date.parse(String(from)) > Date.parse(String(to))), {
          path: ["from"],
          message: "must not be after to",
        }),
    output: ({ status, body }, input, label) => {
      const batch = readInsights(body);
      if (!batch) throw unknownShape(status, label);
      return { ...batch, mayHaveMore: mayHaveMore(batch.insights, input, LIST_LIMIT) };
    },
  },
  {
    name: "nex.compounding.trigger",
    call: "POST /compounding/trigger",
    effect: "write",
    idempotent: false,
    title: "Run a maintenance job in Nex",
    description: "Starts a maintenance job now that Nex otherwise runs on its own schedule.",
    input: () => ({
      jobType: z
        .enum(["consolidation", "pattern_detection", "playbook_synthesis", "decay_sweep", "metrics"])
        .describe(
          "consolidation merges nearly identical insights, pattern_detection looks for recurring patterns, playbook_synthesis turns them into rules, decay_sweep lowers the confidence of old insights, metrics counts",
        ),
      dryRun: z.boolean().optional().describe("Whether to change nothing, and only report what would change"),
    }),
    output: one("job"),
    howToFindOut: "Look in Nex whether the job ran; running it again does no harm beyond its work.",
  },
  {
    name: "nex.compounding.get_job",
    call: "GET /compounding/jobs/{jobRunId}",
    effect: "read",
    title: "Show a maintenance job",
    description: "How far Nex is with a job started by nex.compounding.trigger, and what it did.",
    input: () => ({ jobRunId: id("job_run_id from the answer of nex.compounding.trigger") }),
    output: one("job"),
  },
]);
