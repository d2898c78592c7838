// Parts of a route besides its handler: who may call it, and when its caller is gone.

import type { ServerResponse } from "node:http";
import type { z } from "zod";
import type { Role } from "./context.ts";
import { Problem } from "./problem.ts";

/** The route's `onRequest` if only an operator may call it: decided by the socket, before anything else is read. */
export const operatorOnly = (role: Role) => async (): Promise<void> => {
  if (role !== "operator")
    throw new Problem("operator_only", "Only operators may do this: send it to operator.sock.");
};

/** The route's `preValidation` if it takes no body: one with a field in it is refused, not ignored. */
export const noBody = async ({ body }: { body: unknown }): Promise<void> => {
  if (body === undefined || body === null) return;
  const fields = typeof body === "object" ? Object.keys(body) : ["body"];
  if (fields.length === 0) return;
  const errors = fields.map((path) => ({ path, message: "is not a field here" }));
  throw new Problem("invalid_request", `This request takes no fields: ${fields.join(", ")}`, { errors });
};

/** Aborts when the connection is closed or the answer complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  else response.once("close", () => controller.abort());
  return controller.signal;
}

/**
 * The schema of an answer that the handler returns as JSON text; it describes the answer and never checks it. Events
 * are stored as text: parsing and serializing them again would cost time and lose the digits of large integers.
 */
export const asText = (schema: z.ZodType): z.ZodType<string> => schema as unknown as z.ZodType<string>;

export const JSON_TYPE = "application/json; charset=utf-8";
