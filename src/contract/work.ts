// Writes that start work at the service which continues after they succeed. Without zod: nexusctl asks at every write.

/** By operation, the family of events about its work: `<family>.progressed`, `.completed`, `.failed`. */
export const WORK = {
  "nex.context.add_text": "nex.context",
  "nex.context.list_jobs": "nex.context",
} as const;

/** The data of such events. */
export type WorkData = { writeId: string } & ({ status: string } | { result: unknown } | { error: string });

/** @returns undefined if no work follows */
export const workOf = (operation: string): string | undefined =>
  new Map<string, string>(Object.entries(WORK)).get(operation);
