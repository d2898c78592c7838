// nexusctl status: what the daemon, its services and its jobs are doing.

import type { Command } from "commander";
import { visible } from "../core/text/visible.ts";
import { SERVICES } from "../services/list.ts";
import { type Act, jsonOf } from "./context.ts";
import { describeError, printJobs } from "./jobs.ts";
import { printNodes } from "./nodes.ts";
import { printSinks } from "./sinks.ts";
import { ofState } from "./terminal/colour.ts";
import { age } from "./terminal/output.ts";

export function addStatus(program: Command, act: Act): void {
  program
    .command("status")
    .description("show services, jobs, nodes, sinks and log; exit 0 even when something is degraded")
    .action(
      act(async ({ client, output, io }) => {
        const status = await client.status({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(status));

        const { oldest, latest } = status.log;
        await output.table(
          ["DAEMON", `nexusd ${status.version}`],
          [
            ["started", `${age(status.startedAt)}, pid ${status.pid}`],
            ["log", latest < oldest ? "empty" : `events ${oldest} to ${latest}`],
            [
              "store",
              ofState(
                status.store?.state ?? "ok",
                [status.store?.state ?? "ok", status.store?.lastError?.message].filter(Boolean).join(": "),
              ),
            ],
            ["writes", describeWrites(status.writes)],
            ["epoch", status.epoch],
            // Only problems are shown: without a line, both sockets work.
            ...(status.sockets ?? [])
              .filter(({ state }) => state !== "there")
              .map(({ path, state, lastError }) => ["socket", `${state}: ${lastError?.message ?? path}`]),
          ],
        );
        await output.line("");
        await output.table(
          ["SERVICE", "STATE", "LAST SUCCESS", "LAST ERROR"],
          Object.entries(status.services).map(([name, service]) => [
            name,
            ofState(service.state),
            service.state === "disabled" ? "-" : age(service.lastSuccessAt),
            describeError(service.lastError),
          ]),
        );
        for (const [name, { note, attention = [] }] of Object.entries(status.services))
          for (const text of [note, ...attention.map(({ detail }) => detail)])
            if (text) await output.line(`${titleOf(name)}: ${visible(text)}`);
        await output.line("");
        await printJobs(output, status.jobs);
        // Daemons before this version have neither. A single node is the daemon itself.
        if ((status.nodes ?? []).length > 1) {
          await output.line("");
          await printNodes(output, status);
        }
        if ((status.sinks ?? []).length === 0) return;
        await output.line("");
        await printSinks(output, status.sinks);
      }),
    );
}

/** "2 proposed, 1 unknown": those that need action or are in progress. */
function describeWrites(counts: Record<string, number> = {}): string {
  const open = ["proposed", "approved", "executing", "unknown"].filter((state) => (counts[state] ?? 0) > 0);
  return open.map((state) => `${counts[state]} ${state}`).join(", ") || "none open";
}

/** A daemon of another version may have a service that this program does not know. */
const titleOf = (name: string): string => SERVICES.find((service) => service.name === name)?.title ?? name;
