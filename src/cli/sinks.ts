// nexusctl sinks: lists the sinks and whether their events are read, and lets an operator control them.

import type { Command } from "commander";
import { answerOf } from "../client/request.ts";
import type { SinkStatus, SinkTest } from "../contract/api/sinks.ts";
import { type Act, jsonOf } from "./context.ts";
import { describeError } from "./jobs.ts";
import { Reported } from "./problem.ts";
import { ofState } from "./terminal/colour.ts";
import { age, type Output } from "./terminal/output.ts";

const HEAD = [
  "SINK",
  "KIND",
  "STATE",
  "PENDING",
  "LAST WAKE",
  "NEXT WAKE",
  "WAKES",
  "READ AFTER",
  "LAST ERROR",
];

/** A table for a person. A reason that does not fit is printed in full below it. */
export async function printSinks(output: Output, sinks: SinkStatus[]): Promise<void> {
  const cut = await output.table(
    HEAD,
    sinks.map((sink) => [
      sink.name,
      sink.kind,
      stateOf(sink),
      sink.pending === 0 ? "-" : `${sink.pending}${sink.isMore ? "+" : ""}, ${age(sink.oldestPendingAt)}`,
      sink.running ? "running" : age(sink.lastWakeAt),
      sink.nextWakeAt === null ? "-" : age(sink.nextWakeAt),
      sink.eventsPerWake === null ? `${sink.wakes}` : `${sink.wakes}, ${sink.eventsPerWake} events each`,
      readAfter(sink),
      describeError(troubleOf(sink)),
    ]),
  );
  for (const index of cut) {
    const sink = sinks[index];
    if (sink && troubleOf(sink)) await output.text(`${sink.name}: ${describeError(troubleOf(sink))}`);
  }
}

const troubleOf = ({ failing, lastError }: SinkStatus) => (failing ? lastError : null);

function stateOf({ state, pausedBy, since }: SinkStatus) {
  if (pausedBy !== null) return ofState("paused", pausedBy === "target" ? "paused by its target" : "paused");
  return ofState(state, state === "quiet" ? state : `${state}, ${age(since)}`);
}

/** The median, and the last value in parentheses: "4.2 s (1.9 s)". */
function readAfter({ acknowledgementMs: { median, last } }: SinkStatus): string {
  return median === null || last === null ? "-" : `${inSeconds(median)} (${inSeconds(last)})`;
}

const inSeconds = (ms: number) => `${ms < 100_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;

export function addSinks(program: Command, act: Act): void {
  const sinks = program
    .command("sinks")
    .description("list the sinks, which wake agents; wake, pause, resume or test one (operator)");

  sinks
    .command("list", { isDefault: true })
    .description("list the sinks, and whether their events are being read")
    .action(
      act(async ({ client, output, io }) => {
        const found = await client.sinks.list({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(found));
        if (found.sinks.length === 0)
          return output.note("there are no sinks: add [[sinks]] to the configuration");
        await printSinks(output, found.sinks);
      }),
    );

  for (const [verb, description] of [
    ["wake", "wake now for what is pending"],
    ["pause", "send no wakes until it is resumed, across restarts too"],
    ["resume", "let a paused sink wake again"],
  ] as const)
    sinks
      .command(verb)
      .description(`${description} (operator)`)
      .argument("<name>", "the sink's name")
      .action(
        act(async ({ client, output, io }, name: string) => {
          const sink = await client.sinks[verb](name, { signal: io.signal });
          if (output.isHuman) output.note(outcome(verb, sink));
          else await output.json(jsonOf(sink));
        }),
      );

  sinks
    .command("test")
    .description("send one wake that is marked as a test, and show the answer (operator)")
    .argument("<name>", "the sink's name")
    .action(
      act(async ({ client, output, io }, name: string) => {
        const test = await client.sinks.test(name, { signal: io.signal });
        if (output.isHuman) output.note(outcomeOfTest(name, test));
        else await output.json(jsonOf(test));
        if (test.outcome === "refused") throw new Reported("the target refused the test");
      }),
    );
}

function outcome(verb: "wake" | "pause" | "resume", sink: SinkStatus): string {
  if (verb !== "wake") return `${verb}d ${sink.name}`;
  if (answerOf(sink).status === 202) return `${sink.name} is being woken; see: nexusctl sinks`;
  return sink.failing
    ? `${sink.name} refused the wake: ${describeError(sink.lastError)}`
    : `woke ${sink.name}`;
}

function outcomeOfTest(name: string, { outcome, code, message, tookMs }: SinkTest): string {
  const took = `${Math.round(tookMs)} ms`;
  if (outcome === "running") return `${name} is still running after ${took}; see: nexusctl sinks`;
  return outcome === "refused"
    ? `${name} refused the test, ${took}: ${code}: ${message}`
    : `${name} accepted the test, ${took}`;
}
