// The operation catalogue: everything that the services can be asked to do, by name.
// Inputs are z.lazy, built when first used: a daemon that only watches keeps about 1 kB for each operation, not 20.

import { z } from "zod";
import type { Approval, OperationSummary } from "../contract/writes.ts";
import { messagingOperations } from "./messaging/operations.ts";
import { nexOperations } from "./nex/operations.ts";
import { nexusOperations } from "./nexus/operations.ts";
import type { Operation } from "./operation.ts";

export interface Catalogue {
  get(name: string): Operation | undefined;
  /** Sorted by name. */
  all(): Operation[];
  /**
   * Has what is known only at run time looked up, as far as the operation `name` needs it, or all of them.
   * @throws HttpError, OperationError where it is not known what `name` is
   */
  refresh(name?: string): Promise<void>;
  /**
   * Has the operation looked up once more, right before a write with it, where only the service knows what it is.
   * @throws HttpError, OperationError where that cannot be told now
   */
  lookAgain(name: string): Promise<void>;
  /** Names that somebody who wrote `name` may have meant, the nearest first; at most three. */
  near(name: string): string[];
}

/** Operations that only a service knows, such as the tools of an MCP server. */
export interface OperationSource {
  get(name: string): Operation | undefined;
  all(): Operation[];
  /** These two as of the catalogue. */
  refresh(name?: string): Promise<void>;
  lookAgain(name: string): Promise<void>;
}

/** An operation that is declared here goes before one of the same name from the source.
 * @throws Error where two operations have the same name, or one is not named after its service */
export function createCatalogue(operations: readonly Operation[], source?: OperationSource): Catalogue {
  const byName = new Map<string, Operation>();
  for (const operation of operations.toSorted(inOrder)) {
    const { name, service } = operation;
    if (byName.has(name)) throw new Error(`two operations are named ${name}`);
    if (!NAME.test(name) || !name.startsWith(`${service}.`))
      throw new Error(`${name} is not a name of an operation of ${service}: it must be ${service}.noun.verb`);
    byName.set(name, operation);
  }
  const all = () => {
    const more = source?.all().filter(({ name }) => !byName.has(name)) ?? [];
    return more.length === 0 ? [...byName.values()] : [...byName.values(), ...more].toSorted(inOrder);
  };
  return {
    get: (name) => byName.get(name) ?? source?.get(name),
    all,
    near: (name) =>
      nearest(
        name,
        all().map((operation) => operation.name),
      ),
    async refresh(name) {
      if (name === undefined || !byName.has(name)) await source?.refresh(name);
    },
    async lookAgain(name) {
      if (!byName.has(name)) await source?.lookAgain(name);
    },
  };
}

const inOrder = (a: Operation, b: Operation) => (a.name < b.name ? -1 : 1);

const NAME = /^[a-z]+\.[a-z][a-z_]*\.[a-z][a-z_]*$/;

/** What nexusd itself knows the services can do. */
export const declaredOperations: readonly Operation[] = [
  ...messagingOperations,
  ...nexOperations,
  ...nexusOperations,
].map(
  // The type of the input is known at run time only: whoever calls the functions of an operation passes them what
  // its own `input` has parsed.
  (operation) => operation as Operation,
);

export const catalogue: Catalogue = createCatalogue(declaredOperations);

/** The catalogue as `GET /v1/operations` lists it, with what the policy says of each write now. */
export const summaries = (
  approvalOf: (operation: Operation) => Approval,
  from: Catalogue = catalogue,
): OperationSummary[] =>
  from.all().map((operation) => {
    const { name, service, effect, title, description, idempotent, destructive } = operation;
    return {
      ...{ name, service, effect, title, description, idempotent, destructive },
      approval: effect === "read" ? null : approvalOf(operation),
      inputSchema: inputSchema(operation),
    };
  });

/** The input of an operation as JSON Schema (2020-12). Rules over several fields are not in it. */
export const inputSchema = (operation: Operation): Record<string, unknown> =>
  operation.inputSchema ?? z.toJSONSchema(operation.input, { io: "input" });

/** By the number of letters to change, as long as that is less than a third of them. */
function nearest(name: string, names: string[]): string[] {
  const wanted = name.toLowerCase().slice(0, LONGEST_NAME);
  return names
    .map((candidate) => ({ candidate, distance: distanceBetween(wanted, candidate) }))
    .filter(({ candidate, distance }) => distance * 3 <= candidate.length)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

const LONGEST_NAME = 64;

/** Levenshtein's. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(
        Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}
