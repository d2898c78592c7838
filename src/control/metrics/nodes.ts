// The nodes of the fleet, as this one sees them.

import type { NodeStatus } from "../../contract/api/nodes.ts";
import { keysOf, single } from "../../contract/metric.ts";
import type { Metric } from "./metric.ts";

const STATES = keysOf<NodeStatus["state"]>({ up: true, draining: true, lost: true });

export const nodeMetrics: readonly Metric[] = [
  {
    type: "gauge",
    name: "nexusd_nodes",
    help: "Nodes that share the database, by their state; lost: it no longer reports.",
    labels: ["state"],
    samples: ({ fleet: { nodes } }) =>
      STATES.map((state) => ({
        value: nodes.filter((node) => node.state === state).length,
        labels: { state },
      })),
  },
  single(
    "gauge",
    "nexusd_leases_held",
    "Leases that this node holds: how much of the work it does.",
    ({ fleet: { node, nodes } }) => nodes.find(({ name }) => name === node)?.leases.length ?? 0,
  ),
];
