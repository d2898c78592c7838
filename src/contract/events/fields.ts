// What the data of several event types have in common.

import { z } from "zod";

/** RFC 3339 in UTC. */
export const time = z.string().meta({ format: "date-time" });

/** What went wrong. */
export const failure = {
  code: z.string().describe("stable, for programs"),
  message: z.string().describe("for a person"),
};

/** What a service gave for a column or field, or null where it has none. */
export const given = z.string().nullable();
