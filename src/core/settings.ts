// Building blocks for all settings: each says what is valid if a value is wrong. Durations are milliseconds once
// parsed.

import { z } from "zod";
import { parseDuration } from "./duration.ts";
import { isObject } from "./is-object.ts";

export const durationText = () =>
  z.string({ error: 'must be a duration in quotes, such as "30s", "5m" or "24h"' });

export const inMilliseconds = (least: string, most?: string) => (text: string, context: z.RefinementCtx) => {
  const fail = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  const ms = parseDuration(text);
  if (ms === undefined) return fail('must be a duration such as "250ms", "30s", "5m", "24h" or "30d"');
  if (ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most ?? "") ?? ms)) return ms;
  return fail(
    most === undefined ? `must be at least "${least}"` : `must be a duration from "${least}" to "${most}"`,
  );
};

export const duration = (fallback: string, least: string, most?: string) =>
  durationText().default(fallback).transform(inMilliseconds(least, most));

export const isLoopback = (host: string) =>
  host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);

/** An origin: scheme, host and port alone, https unless the host is this machine. */
export const origin = z.string().transform((text, context) => {
  const url = URL.parse(text);
  const fail = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    return fail('must be an origin such as "https://messaging.md"');
  const allowed = isLoopback(url.hostname) ? url.protocol : "https:";
  if (url.username || url.password || url.pathname !== "/" || url.search || url.hash)
    return fail(`must be an origin without path, query or user, such as "${allowed}//${url.host}"`);
  if (url.protocol !== allowed) return fail(`must be https, because "${url.hostname}" is not this machine`);
  return url.origin;
});

const SECRET_FORM = 'must be a reference such as { source = "env", id = "NAME" }, never the secret itself';

/** Where a secret can be found; never the secret. */
export const secretRef = z.strictObject(
  {
    source: z.enum(["env", "file", "credential"], {
      error: 'must be "env", "file" or "credential"',
    }),
    id: z.string().min(1, "must name the variable, file or credential"),
  },
  {
    error: ({ code, input }) =>
      code === "unrecognized_keys" ? undefined : `${input === undefined ? "is missing: " : ""}${SECRET_FORM}`,
  },
);
export type SecretRef = z.infer<typeof secretRef>;

// Cross-checks run even if another key of the table is wrong, so that all problems are reported at once; their input
// may therefore be of any type, or missing.
export const always = { when: (payload: { value: unknown }) => isObject(payload.value) };

export const whole = z.int({
  error: (issue) => (issue.code === "invalid_type" ? "must be a whole number" : undefined),
});
export const positive = whole.positive();
export const filePath = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"), "must be a path, without a NUL character");

export const needsWhenEnabled =
  (...keys: string[]) =>
  (value: Record<string, unknown>, context: z.RefinementCtx) => {
    if (value.enabled)
      for (const key of keys)
        if (value[key] === undefined)
          context.addIssue({
            code: "custom",
            path: [key],
            input: undefined,
            message: `is missing: ${SECRET_FORM.replace("must be", "add")}; or set enabled = false`,
          });
  };
