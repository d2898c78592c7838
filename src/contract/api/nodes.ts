// The nodes that share a database, and what each of them does, as the API shows them.

import { z } from "zod";

export const nodeStatus = z
  .object({
    name: z.string(),
    version: z.string(),
    state: z
      .enum(["up", "draining", "lost"])
      .describe("`draining`: it takes on nothing; `lost`: it no longer reports, and the others take over"),
    startedAt: z.string(),
    seenAt: z.string().describe("When it last reported, by the clock of the database"),
    leases: z
      .array(
        z.object({
          resource: z.string().describe("What it alone does, such as `job:retention`"),
          since: z.string(),
        }),
      )
      .describe("Empty without a fleet: the one nexusd does everything"),
  })
  .meta({ id: "Node" });

export const nodesAnswer = z.object({
  asOf: z.string(),
  node: z.string().describe("The name of the node that answers"),
  nodes: z.array(nodeStatus),
});

export type NodeStatus = z.output<typeof nodeStatus>;
export type NodesView = z.output<typeof nodesAnswer>;
