// nexusctl consumers: named reading positions in the log.

import { type Command, InvalidArgumentError } from "commander";
import type { Consumer } from "../contract/store.ts";
import { count, duration, eventTypes, wholeNumber } from "./arguments.ts";
import { parsed } from "./client.ts";
import type { Act, CliContext } from "./context.ts";
import { printEvents } from "./events.ts";
import { age, type Output } from "./output.ts";
import { Failed } from "./problem.ts";
import { rawElements } from "./raw-json.ts";
import { type Bound, TOKEN_OPTION, tellToken, tokenHeaders } from "./token.ts";

const HEAD = ["CONSUMER", "POSITION", "TYPES", "CREATED", "LAST MOVED"];

const path = (name: string, rest = "") => `/v1/consumers/${encodeURIComponent(name)}${rest}`;

function start(text: string): number | "oldest" | "latest" {
  if (text === "oldest" || text === "latest") return text;
  if (/^\d+$/.test(text)) return wholeNumber(text);
  throw new InvalidArgumentError('It must be "oldest", "latest" or a sequence number.');
}

interface CreateOptions {
  from: number | string;
  type?: string[];
  bind?: true;
  token?: string;
}

const asConsumer = (json: string) => JSON.parse(json) as Consumer; // the daemon's own contract

/** Page by page, each as its JSON. */
async function allConsumers(client: CliContext["client"], signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (let query = "?limit=1000"; ; ) {
    const answer = await client.call("GET", `/v1/consumers${query}`, { signal });
    found.push(...rawElements(answer.text, "consumers"));
    const { next } = parsed<{ next?: string | null }>(answer);
    if (!next) return found;
    query = `?limit=1000&after=${encodeURIComponent(next)}`;
  }
}

export function addConsumers(program: Command, act: Act): void {
  const consumers = program
    .command("consumers")
    .description("named reading positions that survive everything");

  consumers
    .command("list", { isDefault: true })
    .description("list the consumers")
    .action(
      act(async ({ client, output, io }) => {
        const consumers = await allConsumers(client, io.signal);
        if (!output.isHuman) return await output.json(`{"consumers":[${consumers.join(",")}]}`);
        await table(output, consumers.map(asConsumer));
      }),
    );

  consumers
    .command("create")
    .description("create a consumer, or put an existing one at another position")
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
    .option("--bind", "of a new one: only who has its token may change it; the token is told once")
    .option(...TOKEN_OPTION)
    .action(
      act(async (context, name: string, { from, type, bind, token }: CreateOptions) => {
        const { client, io, output } = context;
        const answer = await client.call("PUT", path(name), {
          body: { from, ...(type && { types: type }), ...(bind && { bind }) },
          headers: await tokenHeaders(context, token),
          signal: io.signal,
        });
        await show(context, answer.text);
        if (output.isHuman) tellToken(context, parsed<Bound>(answer));
      }),
    );

  consumers
    .command("show")
    .description("show a consumer")
    .argument("<name>")
    .action(
      act(async (context, name: string) => {
        const { client, io } = context;
        // The API has no request for a single one.
        const found = (await allConsumers(client, io.signal)).find((json) => asConsumer(json).name === name);
        if (found === undefined)
          throw new Failed({
            title: "Not found",
            status: 404,
            detail: `There is no consumer "${name}". Create it with: nexusctl consumers create ${name}`,
            code: "consumer_not_found",
          });
        await show(context, found);
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
        const query = new URLSearchParams({ limit: String(limit), ...(wait && { wait }) });
        const answer = await client.call("GET", path(name, `/events?${query}`), {
          signal: io.signal,
          timeoutMs: WAIT_TIMEOUT_MS,
        });
        const { gap } = parsed<{ gap?: { from: number; to: number } | null }>(answer);
        if (gap) output.note(`events ${gap.from} to ${gap.to} are missing: retention removed them`);
        await printEvents(output, answer);
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
        const answer = await client.call("POST", path(name, "/ack"), {
          body: { sequence },
          headers: await tokenHeaders(context, token),
          signal: io.signal,
        });
        await show(context, answer.text);
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
        const headers = await tokenHeaders(context, token);
        const answer = await client.call("DELETE", path(name), { headers, signal: io.signal });
        if (output.isHuman) output.note(`deleted ${name}`);
        else await output.json(answer.text.trim() || "{}");
      }),
    );
}

// Longer than any wait that the daemon grants, which is 60 s.
const WAIT_TIMEOUT_MS = 75_000;

/** @param json a consumer as the daemon sent it */
async function show({ output }: CliContext, json: string): Promise<void> {
  if (!output.isHuman) return await output.json(json.trim());
  await table(output, [JSON.parse(json) as Consumer]); // the daemon's own contract
}

const table = (output: Output, consumers: Consumer[]) =>
  output.table(
    HEAD,
    consumers.map((one) => [
      one.name,
      one.position,
      one.types?.join(" ") ?? "all",
      age(one.createdAt),
      age(one.updatedAt),
    ]),
  );
