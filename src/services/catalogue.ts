// The operation catalogue: every operation of the services, by name. Inputs are z.lazy, built when first used: a daemon
// that only watches keeps about 1 kB for each operation, not 20.

import { z } from "zod";
import type { Observation } from "../contract/store.ts";
import type { Approval, OperationSummary } from "../contract/writes.ts";
import { nearest } from "../core/text/nearest.ts";
import { SERVICES } from "./list.ts";
import type { ServiceCode, ServiceModule } from "./module.ts";
import type { Facts, Operation, ShownRequest } from "./operation.ts";

export interface Catalogue {
  get(name: string): Operation | undefined;
  /** Sorted by name. */
  all(): Operation[];
  /**
   * Looks up operations that are known only at run time, as far as the operation `name` needs it, or all of them.
   * @throws HttpError, OperationError if it is unknown what `name` is
   */
  refresh(name?: string): Promise<void>;
  /**
   * Looks the operation up once more, right before a write with it, if only the service knows what it is.
   * @throws HttpError, OperationError if that cannot be determined now
   */
  lookAgain(name: string): Promise<void>;
  /** Names that `name` may have been meant for, nearest first; at most three. */
  near(name: string): string[];
}

/** Operations that only a service knows, such as the tools of an MCP server. */
export interface OperationSource {
  get(name: string): Operation | undefined;
  all(): Operation[];
  /** Loads what is stored; nothing is known before. @throws StoreError */
  load(): Promise<void>;
  /** These two as in the catalogue; the names of other services are ignored. */
  refresh(name?: string): Promise<void>;
  lookAgain(name: string): Promise<void>;
  /** Remembers an operator's approval of a write: the operation as it was approved. */
  withApproval(write: { operation: string; precondition: string | null }): {
    observations?: Observation[];
    committed?: () => void;
  };
}

/**
 * An operation that is declared here takes precedence over one of the same name from a source.
 * @throws Error if two operations have the same name, or one is not named after its service
 */
export function createCatalogue(
  operations: readonly Operation[],
  ...sources: readonly OperationSource[]
): Catalogue {
  const byName = new Map<string, Operation>();
  for (const operation of operations.toSorted(inOrder)) {
    const { name, service } = operation;
    if (byName.has(name)) throw new Error(`two operations are named ${name}`);
    if (!NAME.test(name) || !name.startsWith(`${service}.`))
      throw new Error(`${name} is not an operation name of ${service}: it must be ${service}.noun.verb`);
    byName.set(name, operation);
  }
  const all = () => {
    const more = sources.flatMap((source) => source.all()).filter(({ name }) => !byName.has(name));
    return more.length === 0 ? [...byName.values()] : [...byName.values(), ...more].toSorted(inOrder);
  };
  return {
    get: (name) => byName.get(name) ?? firstOf(sources, (source) => source.get(name)),
    all,
    near: (name) =>
      nearest(
        name,
        all().map((operation) => operation.name),
      ),
    async refresh(name) {
      if (name !== undefined && byName.has(name)) return;
      await Promise.all(sources.map((source) => source.refresh(name)));
    },
    async lookAgain(name) {
      if (byName.has(name)) return;
      await Promise.all(sources.map((source) => source.lookAgain(name)));
    },
  };
}

function firstOf<T, R>(all: readonly T[], ask: (one: T) => R | undefined): R | undefined {
  for (const one of all) {
    const answer = ask(one);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

const inOrder = (a: Operation, b: Operation) => (a.name < b.name ? -1 : 1);

const NAME = /^[a-z]+\.[a-z][a-z_]*\.[a-z][a-z_]*$/;

const codes = new Map<string, ServiceCode>();
for (const { name, code } of await Promise.all(
  SERVICES.map(async (service: ServiceModule) => ({ name: service.name, code: await service.load() })),
))
  codes.set(name, code);

/** The operations that nexusd itself declares. */
export const declaredOperations: readonly Operation[] = [...codes.values()].flatMap(
  ({ operations }) => operations,
);

/** The facts that a request of the service was made from, as far as the request shows them. */
export const shownFacts = (service: string, request: ShownRequest): Facts => ({
  origin: URL.parse(request.url)?.origin ?? "",
  ...codes.get(service)?.shownFacts?.(request),
});

export const catalogue: Catalogue = createCatalogue(declaredOperations);

/** The catalogue as `GET /v1/operations` lists it, with the current policy of each write. */
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
      ...(operation.inputSchema && { describedBy: "service" as const }),
    };
  });

/** The input of an operation as JSON Schema (2020-12). Rules over several fields are not in it. */
export const inputSchema = (operation: Operation): Record<string, unknown> =>
  operation.inputSchema ?? z.toJSONSchema(operation.input, { io: "input" });
