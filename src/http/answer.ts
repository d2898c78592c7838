// Reading an answer: its JSON against a schema that asks only for what is needed.

import type { z } from "zod";
import type { HttpResponse } from "./client.ts";
import { HttpError } from "./errors.ts";

/** @throws HttpError `invalid_body` that names the first field that is not as promised, never its value. */
export function readAnswer<T>(
  response: Pick<HttpResponse, "status" | "json">,
  schema: z.ZodType<T>,
  where: { service: string; label: string },
): T {
  const result = schema.safeParse(response.json());
  if (result.success) return result.data;
  const field = result.error.issues[0]?.path.join(".") || "the body";
  throw new HttpError({
    kind: "invalid_body",
    ...where,
    status: response.status,
    code: "unexpected_shape",
    message: `${where.service}: ${where.label} answered ${response.status}, but ${field} is not as documented`,
    retryable: false,
    maybeSent: true,
    cause: result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.code}`).join("; "),
  });
}
