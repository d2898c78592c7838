// [limits]: what all agents together may use at once. docs/limits.md describes the answer at each limit.
// To add a limit: a key here, in config/nexusd.toml, in docs/configuration.md and in docs/limits.md.

import { z } from "zod";
import { parseDuration } from "../core/duration.ts";
import { parseSize } from "../core/size.ts";

/** A number of things; `most` prevents a typo from disabling the limit. */
const count = (fallback: number, most: number, least = 1) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.int(message).min(least, message).max(most, message).default(fallback);
};

/** Bytes once parsed. */
const size = (fallback: string, least: string, most: string) =>
  z
    .string({ error: 'must be a size in quotes, such as "256KiB" or "32MiB"' })
    .default(fallback)
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined && bytes >= (parseSize(least) ?? 0) && bytes <= (parseSize(most) ?? 0))
        return bytes;
      context.addIssue({ code: "custom", message: `must be a size from "${least}" to "${most}"` });
      return z.NEVER;
    });

const time = (fallback: string, least: string, most: string) =>
  z
    .string({ error: 'must be a duration in quotes, such as "30s", "5m" or "24h"' })
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most) ?? 0))
        return ms;
      context.addIssue({ code: "custom", message: `must be a duration from "${least}" to "${most}"` });
      return z.NEVER;
    });

export const limits = z.strictObject({
  // For agent.sock as a whole: the kernel does not say which agent connects.
  connections: count(256, 10_000),
  silent_connection: time("30s", "1s", "1h"),
  request_bytes: size("32MiB", "1MiB", "1GiB"),
  answer_bytes: size("32MiB", "1MiB", "1GiB"),
  long_polls: count(128, 10_000),
  streams: count(32, 10_000),
  expensive_requests: count(8, 1000),
  reads: count(32, 1000),
  // For answers of the services, whoever asked.
  service_answer_bytes: size("8MiB", "1MiB", "1GiB"),
  service_answers_bytes: size("24MiB", "1MiB", "1GiB"),
  insight_bytes: size("256KiB", "16KiB", "4MiB"),
  // For what is stored, whoever sent it.
  proposal_bytes: size("256KiB", "1KiB", "1MiB"),
  open_proposals: count(200, 100_000),
  open_proposal_bytes: size("32MiB", "256KiB", "10GiB"),
  consumers: count(1000, 100_000),
  consumer_types: count(16, 1000),
  // For one request or answer.
  problem_errors: count(20, 1000),
  number_digits: count(40, 1000, 17),
  body_values: count(20_000, 1_000_000, 1000),
  preview_lines: count(2000, 100_000, 50),
});

/** Counts, bytes and milliseconds. */
export type Limits = z.output<typeof limits>;
