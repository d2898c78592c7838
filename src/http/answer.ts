// Reads an answer: validates its JSON with a schema that requires only what is needed.

import type { z } from "zod";
import type { HttpResponse } from "./client.ts";
import { HttpError } from "./errors.ts";

/** @throws HttpError `invalid_body`, which names the first field that is not as documented, never its value. */
export function readAnswer<T>(
  response: Pick<HttpResponse, "status" | "json">,
  schema: z.ZodType<T>,
  where: { service: string; label: string },
): T {
  const result = schema.safeParse(response.json());
  if (result.success) return result.data;
  const field = result.error.issues[0]?.path.join(".") || "the body";
  throw unexpectedShape(
    { ...where, status: response.status },
    `${field} is not as documented`,
    result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.code}`).join("; "),
  );
}

/**
 * A complete answer that is not what the service promised.
 * @param what completes "answered 200, but …"; it never holds a value
 */
export const unexpectedShape = (
  { service, label, status }: { service: string; label: string; status?: number },
  what: string,
  cause?: string,
): HttpError =>
  new HttpError({
    ...{ kind: "invalid_body", service, label, code: "unexpected_shape" },
    ...(status !== undefined && { status }),
    message: `${service}: ${label} answered${status === undefined ? "" : ` ${status}`}, but ${what}`,
    retryable: false,
    maybeSent: true,
    ...(cause !== undefined && { cause }),
  });
