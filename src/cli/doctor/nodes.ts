// doctor: the nodes of a fleet: whether each reports, and runs the same version.

import type { StatusView } from "../../contract/api/status.ts";
import { age } from "../terminal/output.ts";
import { type Check, ok, warn } from "./doctor.ts";

/** The running daemon's view of the fleet. */
export function examineNodes({ node: own, nodes = [] }: Pick<StatusView, "node" | "nodes">): Check[] {
  if (nodes.length < 2) return [];
  const version = nodes.find(({ name }) => name === own)?.version;
  const checks = nodes.flatMap(({ name, state, seenAt, ...node }): Check[] => {
    if (state === "lost")
      return [
        warn("nodes", `${name}: lost, last seen ${age(seenAt)}`, `See "systemctl status nexusd" on ${name}.`),
      ];
    if (state === "draining")
      return [warn("nodes", `${name}: takes on no work`, `On ${name}: nexusctl node drain --off`)];
    if (node.version !== version)
      return [
        warn(
          "nodes",
          `${name}: runs nexusd ${node.version}, ${own} ${version}`,
          "Run the same version on all nodes.",
        ),
      ];
    return [];
  });
  return checks.length > 0 ? checks : [ok("nodes", `${nodes.length}, all up`)];
}
