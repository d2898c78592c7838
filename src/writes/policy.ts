// Who approves which operation, from the configuration: the most specific pattern that names it.

import type { Config } from "../config/schema.ts";
import { SERVICES } from "../events/types.ts";
import type { Operation } from "../services/operation.ts";
import type { Approval, Write } from "./types.ts";

export interface Policy {
  /** For writes; reads need no approval. */
  approvalOf(operation: Pick<Operation, "name" | "destructive">): Approval;
  /** Whether it leaves nothing to an operator, and denies nothing. */
  isEverythingAuto(): boolean;
}

/** What the policy looks at in a write that is stored. */
export const subjectOf = ({ operation, destructive }: Write) => ({ name: operation, destructive });

const isWildcard = (pattern: string) => pattern.endsWith("*");

export function createPolicy(config: Pick<Config, "approvals">): Policy {
  const rules = new Map(Object.entries(config.approvals.policy));
  // "nexus.*" as "nexus.", "*" as "": the beginnings of the names that they stand for, the longest first.
  const beginnings = [...rules]
    .filter(([pattern]) => isWildcard(pattern))
    .map(([pattern, approval]) => ({ beginning: pattern.slice(0, -1), approval }))
    .sort((a, b) => b.beginning.length - a.beginning.length);
  const byBeginning = (name: string) =>
    beginnings.find(({ beginning }) => name.startsWith(beginning))?.approval;

  return {
    approvalOf({ name, destructive }) {
      const exact = isWildcard(name) ? undefined : rules.get(name);
      if (exact !== undefined) return exact;
      const approval = byBeginning(name) ?? "operator";
      return destructive && approval === "auto" ? "operator" : approval;
    },
    isEverythingAuto: () =>
      [...rules.values()].every((approval) => approval === "auto") &&
      SERVICES.every((service) => byBeginning(`${service}.`) === "auto"),
  };
}
