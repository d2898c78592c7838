// Writes whose work goes on at the service when they have succeeded. Without zod: nexusctl asks it at every write.

/** By the operation, the family of events that tell of its work: `<family>.progressed`, `.completed`, `.failed`. */
export const WORK = {
  "nex.context.add_text": "nex.context",
  "nex.context.list_jobs": "nex.context",
} as const;

/** The data of such events. */
export type WorkData = { writeId: string } & ({ status: string } | { result: unknown } | { error: string });

/** @returns undefined where nothing goes on */
export const workOf = (operation: string): string | undefined =>
  new Map<string, string>(Object.entries(WORK)).get(operation);
