// Who approves which operation, from the configuration: the most specific pattern that names it.

import type { Signing } from "../contract/signing.ts";
import type { Approval, Write } from "../contract/writes.ts";
import { nearest } from "../core/text/nearest.ts";
import { SERVICE_NAMES, SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import type { Operation } from "../services/operation.ts";
import type { ApprovalSettings, PolicyRule } from "./config.ts";

export interface Policy {
  /** For writes; reads need no approval. */
  approvalOf(operation: Subject): Approval;
  /** Whose signatures approve it; undefined: it is not decided by signatures. */
  signingOf(operation: Subject): Signing | undefined;
  /** Whether it leaves nothing to an operator, and denies nothing. */
  isEverythingAuto(): boolean;
}

export type Subject = Pick<Operation, "name" | "destructive">;

/** What the policy needs of a stored write. */
export const subjectOf = ({ operation, destructive }: Write) => ({ name: operation, destructive });

const isWildcard = (pattern: string) => pattern.endsWith("*");

export function createPolicy(config: { approvals: ApprovalSettings }): Policy {
  const rules = new Map(Object.entries(config.approvals.policy));
  // "orders.*" as "orders.", "*" as "": the prefixes that they stand for, longest first.
  const beginnings = [...rules]
    .filter(([pattern]) => isWildcard(pattern))
    .map(([pattern, approval]) => ({ beginning: pattern.slice(0, -1), approval }))
    .sort((a, b) => b.beginning.length - a.beginning.length);
  const byBeginning = (name: string) =>
    beginnings.find(({ beginning }) => name.startsWith(beginning))?.approval;

  const ruleOf = ({ name, destructive }: Subject): PolicyRule => {
    const exact = isWildcard(name) ? undefined : rules.get(name);
    if (exact !== undefined) return exact;
    const approval = byBeginning(name) ?? "operator";
    return destructive && approval === "auto" ? "operator" : approval;
  };

  return {
    approvalOf(subject) {
      const rule = ruleOf(subject);
      return typeof rule === "object" ? rule.by : rule;
    },
    signingOf(subject) {
      const rule = ruleOf(subject);
      if (typeof rule === "object") return { signers: rule.signers ?? null, quorum: rule.quorum };
      return rule === "signed" ? { signers: null, quorum: 1 } : undefined;
    },
    isEverythingAuto: () =>
      [...rules.values()].every((approval) => approval === "auto") &&
      SERVICE_NAMES.every((service) => byBeginning(`${service}.`) === "auto"),
  };
}

/** Nothing is known of operations that only a service knows. */
const isRuntimeName = (name: string) =>
  SERVICES.some(
    ({ runtimePrefix }: ServiceModule) => runtimePrefix !== null && name.startsWith(runtimePrefix),
  );

/**
 * A warning for patterns that match no operation: what they should protect is not protected.
 * @param names of all operations that are known without asking a service
 */
export function patternsOfNothing(
  { approvals }: { approvals: ApprovalSettings },
  names: readonly string[],
): { pattern: string; message: string }[] {
  const groups = new Set(names.flatMap((name) => [`${name.split(".")[0]}.*`, name.replace(/[^.]+$/, "*")]));
  const isKnown = (pattern: string) =>
    isWildcard(pattern)
      ? names.some((name) => name.startsWith(pattern.slice(0, -1)))
      : names.includes(pattern);
  return Object.keys(approvals.policy).flatMap((pattern) => {
    if (isRuntimeName(pattern) || isKnown(pattern)) return [];
    const [meant] = groups.has(`${pattern}.*`) ? [`${pattern}.*`] : nearest(pattern, [...names, ...groups]);
    const hint = meant === undefined ? "nexusctl operations lists them" : `did you mean "${meant}"?`;
    return [{ pattern, message: `names no operation: ${hint}` }];
  });
}
