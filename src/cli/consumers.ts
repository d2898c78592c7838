// nexusctl consumers: named cursors in the log.

import { type Command, InvalidArgumentError } from "commander";
import { isNexusdError } from "../client/error.ts";
import type { ConsumerPage, ConsumerView, ListedConsumer } from "../contract/api/consumers.ts";
import { noticeOf, noticeText } from "../contract/notice.ts";
import { parseDuration } from "../core/duration.ts";
import { count, duration, eventTypes, wholeNumber } from "./arguments.ts";
import { type Act, type CliContext, jsonOf } from "./context.ts";
import { printEvents } from "./events/events.ts";
import { rawElements } from "./operations/raw-json.ts";
import { Failed } from "./problem.ts";
import { age, type Output } from "./terminal/output.ts";
import { shownToken, TOKEN_OPTION, tellToken } from "./token.ts";

function start(text: string): number | "oldest" | "latest" {
  if (text === "oldest" || text === "latest") return text;
  if (/^\d+$/.test(text)) return wholeNumber(text);
  throw new InvalidArgumentError('It must be "oldest", "latest" or a sequence number.');
}

interface CreateOptions {
  from: number | string;
  type?: string[];
  bind?: true;
  ifAbsent?: true;
  token?: string;
}

/** Page by page, each with its JSON. */
async function allConsumers(
  client: CliContext["client"],
  signal: AbortSignal,
): Promise<{ consumer: ListedConsumer; json: string }[]> {
  const found: { consumer: ListedConsumer; json: string }[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const page: ConsumerPage = await client.consumers.list({
      ...{ limit: 100, pending: true, signal },
      ...(after && { after }),
    });
    const texts = rawElements(jsonOf(page), "consumers");
    found.push(...page.consumers.map((consumer, at) => ({ consumer, json: texts[at] ?? "" })));
    after = page.next ?? null;
  }
  return found;
}

export function addConsumers(program: Command, act: Act): void {
  const consumers = program.command("consumers").description("named, durable reading positions in the log");

  consumers
    .command("list", { isDefault: true })
    .description("list the consumers, and how many events each has pending")
    .action(
      act(async ({ client, output, io }) => {
        const consumers = await allConsumers(client, io.signal);
        if (!output.isHuman)
          return await output.json(`{"consumers":[${consumers.map(({ json }) => json).join(",")}]}`);
        await table(
          output,
          consumers.map(({ consumer }) => consumer),
        );
      }),
    );

  consumers
    .command("create")
    .description("create a consumer, or reset an existing one (not with --if-absent)")
    .argument("<name>")
    .option(
      "--from <position>",
      'the last sequence already handled, or "oldest" or "latest"',
      start,
      "latest",
    )
    .option(
      "--type <type>",
      'only this type, or a pattern such as "messaging.*"; may be repeated',
      eventTypes,
    )
    .option("--if-absent", "leave an existing one as it is")
    .option("--bind", "for a new one: require a token to change it; the token is printed once")
    .option(...TOKEN_OPTION)
    .action(
      act(async (context, name: string, options: CreateOptions) => {
        const { client, io, output } = context;
        const { from, type, bind, ifAbsent, token } = options;
        const wanted = { from, ...(type && { types: type }), ...(bind && { bind }) };
        const control = { token: await shownToken(context, token), signal: io.signal };
        const placed = await client.consumers
          .create(name, { ...wanted, ...control, ...(ifAbsent && { ifAbsent }) })
          .catch((error: unknown) => {
            if (isNexusdError(error, "consumer_exists")) return undefined;
            throw error;
          });
        if (placed === undefined) return await showExisting(context, name);
        await show(context, placed, jsonOf(placed));
        if (output.isHuman) tellToken(context, placed);
      }),
    );

  consumers
    .command("show")
    .description("show a consumer")
    .argument("<name>")
    .action(
      act(async (context, name: string) => {
        const found = await context.client.consumers.get(name, { signal: context.io.signal });
        if (found === undefined) throw missingConsumer(name);
        if (!context.output.isHuman) return await context.output.json(jsonOf(found));
        await table(context.output, [found]);
        await context.output.text(noticeText(noticeOf(name, found.pending)));
      }),
    );

  consumers
    .command("events")
    .description("print the events that a consumer has not acknowledged; acknowledges nothing")
    .argument("<name>")
    .option("--limit <count>", "how many at most", count, 100)
    .option("--wait <duration>", "wait for the first one, at most 60s", duration)
    .action(
      act(async ({ client, output, io }, name: string, { limit, wait }: { limit: number; wait?: string }) => {
        const waitMs = wait === undefined ? 0 : (parseDuration(wait) ?? 0);
        const page = await client.consumers.read(name, { limit, waitMs, signal: io.signal });
        const { gap } = page;
        if (gap) output.note(`events ${gap.from} to ${gap.to} are missing: retention removed them`);
        await printEvents(output, page);
      }),
    );

  consumers
    .command("ack")
    .description("acknowledge every event up to a sequence")
    .argument("<name>")
    .argument("<sequence>", "the last event handled", wholeNumber)
    .option(...TOKEN_OPTION)
    .action(
      act(async (context, name: string, sequence: number, { token }: { token?: string }) => {
        const { client, io } = context;
        const proof = await shownToken(context, token);
        const moved = await client.consumers.ack(name, sequence, { token: proof, signal: io.signal });
        await show(context, moved, jsonOf(moved));
      }),
    );

  consumers
    .command("delete")
    .description("delete a consumer and its position")
    .argument("<name>")
    .option(...TOKEN_OPTION)
    .action(
      act(async (context, name: string, { token }: { token?: string }) => {
        const { client, output, io } = context;
        await client.consumers.delete(name, {
          ...{ token: await shownToken(context, token), signal: io.signal },
        });
        if (output.isHuman) output.note(`deleted ${name}`);
        else await output.json("{}");
      }),
    );
}

/** What `create --if-absent` prints for an existing one. */
async function showExisting(context: CliContext, name: string): Promise<void> {
  const { client, io, output } = context;
  const found = await client.consumers.get(name, { signal: io.signal });
  if (found === undefined) throw missingConsumer(name);
  output.note(`"${name}" already exists and stays as it is`);
  await show(context, found, jsonOf(found));
}

export const missingConsumer = (name: string): Failed =>
  new Failed({
    ...{ title: "Not found", status: 404, code: "consumer_not_found" },
    detail: `There is no consumer "${name}". Create it with: nexusctl consumers create ${name}`,
  });

/** @param json as the daemon sent it */
async function show({ output }: CliContext, consumer: ConsumerView, json: string): Promise<void> {
  if (!output.isHuman) return await output.json(json);
  await table(output, [consumer]);
}

/** Pending events are shown if the daemon reports them, which it does not after an acknowledgement. */
const table = (output: Output, consumers: ListedConsumer[]) => {
  const isCounted = consumers.some(({ pending }) => pending !== undefined);
  return output.table(
    ["CONSUMER", "POSITION", ...(isCounted ? ["PENDING"] : []), "TYPES", "CREATED", "LAST MOVED"],
    consumers.map((one) => [
      one.name,
      one.position,
      ...(isCounted ? [pendingOf(one)] : []),
      one.types?.join(" ") ?? "all",
      age(one.createdAt),
      age(one.updatedAt),
    ]),
  );
};

/** "12, 4 min ago": how many events, and when the oldest was logged. */
function pendingOf({ pending }: ListedConsumer): string {
  if (!pending?.count) return "-";
  return `${pending.count}${pending.isMore ? "+" : ""}, ${age(pending.oldestAt)}`;
}
