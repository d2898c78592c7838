// nexusctl node: lists the nodes that share the database, and lets an operator drain this one.

import type { Command } from "commander";
import type { NodeStatus, NodesView } from "../contract/api/nodes.ts";
import { type Act, jsonOf } from "./context.ts";
import { ofState } from "./terminal/colour.ts";
import { age, type Output } from "./terminal/output.ts";

const HEAD = ["NODE", "STATE", "VERSION", "STARTED", "LAST SEEN", "HOLDS"];

export async function printNodes(
  output: Output,
  { node: own, nodes }: Omit<NodesView, "asOf">,
): Promise<void> {
  await output.table(
    HEAD,
    nodes.map((node) => [
      node.name === own ? `${node.name} (this)` : node.name,
      ofState(node.state),
      node.version || "-",
      age(node.startedAt),
      age(node.seenAt),
      holds(node),
    ]),
  );
}

const holds = ({ leases }: NodeStatus): string =>
  leases.length === 0 ? "-" : leases.map(({ resource }) => resource.replace(/^job:/, "")).join(", ");

export function addNode(program: Command, act: Act): void {
  const node = program.command("node").description("list the nodes of a fleet; drain this one (operator)");

  node
    .command("list", { isDefault: true })
    .description("list the nodes that share the database, and what each does")
    .action(
      act(async ({ client, output, io }) => {
        const found = await client.nodes.list({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(found));
        await printNodes(output, found);
      }),
    );

  node
    .command("drain")
    .description("let this node give away what it does, and take on nothing (operator)")
    .option("--off", "let it take on work again")
    .action(
      act(async ({ client, output, io }, { off = false }: { off?: boolean }) => {
        const found = await client.nodes[off ? "resume" : "drain"]({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(found));
        output.note(off ? `${found.node} takes on work again` : `${found.node} drains; see: nexusctl node`);
      }),
    );
}
