// nexusctl writes list: reads as many pages as needed, printing each before requesting the next.

import { NexusdError } from "../../client/error.ts";
import type { SummaryPage, WritePage } from "../../client/writes.ts";
import type { WriteState, WriteSummary } from "../../contract/writes.ts";
import { type CliContext, jsonOf } from "../context.ts";
import { rawElements } from "../operations/raw-json.ts";
import { problemLines, Reported } from "../problem.ts";
import { ofState } from "../terminal/colour.ts";
import { age } from "../terminal/output.ts";
import { errorOf, shortStateOf } from "./preview-view.ts";

export interface ListOptions {
  state?: WriteState[];
  limit: number;
  all?: boolean;
  after?: string;
}

/** The daemon's limit per request. */
const PAGE = 1000;

/** @throws Failed, Reported if a page after the first one failed */
export async function listWrites(context: CliContext, options: ListOptions): Promise<void> {
  await (context.output.isHuman ? printTable(context, options) : printJson(context, options));
}

async function printTable(context: CliContext, options: ListOptions): Promise<void> {
  const rows: WriteSummary[] = [];
  let after = options.after ?? null;
  for (let left = mostOf(options); left > 0; ) {
    const wanted = query(context, options, after, left);
    const page: SummaryPage = await context.client.writes.summaries(wanted);
    rows.push(...page.writes);
    left -= page.writes.length;
    after = page.next;
    if (after === null) break;
  }
  await context.output.table(
    ["ID", "STATE", "ABOUT", "OPERATION", "PROPOSED", "AGENT, AS IT SAYS", "WHY"],
    rows.map((write) => [
      write.id,
      ofState(write.state, shortStateOf(write)),
      write.about,
      write.operation,
      age(write.proposedAt),
      write.agent,
      whyOf(write),
    ]),
  );
  if (after !== null) context.output.note(`there are more: continue with --after ${after}, or use --all`);
}

/** What ended it, or the agent's reason. */
function whyOf(write: WriteSummary): string | null {
  const error = errorOf(write);
  if (error) return `${error.code}: ${error.message}`;
  return write.state === "rejected" || write.state === "resolved" ? write.note : write.reason;
}

/**
 * One document `{writes, next}`, digit for digit as the daemon sent it. Several pages are written page by page, so that
 * thousands of long writes need no memory; if a page fails, the document ends there, with the problem and the position
 * to continue from.
 */
async function printJson(context: CliContext, options: ListOptions): Promise<void> {
  const { output } = context;
  let after = options.after ?? null;
  let left = mostOf(options);
  const next = (): Promise<WritePage> => context.client.writes.list(query(context, options, after, left));

  let page = await next();
  left -= page.writes.length;
  if (page.next === null || left <= 0) return await output.json(jsonOf(page));
  await output.json('{"writes":[');
  for (let separator = ""; ; separator = ",") {
    for (const write of rawElements(jsonOf(page), "writes")) {
      await output.json(separator + write);
      separator = ",";
    }
    after = page.next;
    if (after === null || left <= 0) return await output.json(`],"next":${JSON.stringify(after)}}`);
    try {
      page = await next();
    } catch (error) {
      if (!(error instanceof NexusdError)) throw error;
      await output.json(`],"next":${JSON.stringify(after)},"problem":${error.json}}`);
      for (const line of problemLines(error.problem)) output.note(line);
      throw new Reported("the list ended before its end", { cause: error });
    }
    left -= page.writes.length;
  }
}

const mostOf = ({ limit, all }: ListOptions): number => (all ? Number.POSITIVE_INFINITY : limit);

const query = ({ io }: CliContext, { state }: ListOptions, after: string | null, left: number) => ({
  ...{ states: state, after: after ?? undefined, limit: Math.min(PAGE, left), signal: io.signal },
});
