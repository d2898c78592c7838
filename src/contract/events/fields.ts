// Fields that several event types share.

import { z } from "zod";

/** RFC 3339 in UTC. */
export const time = z.string().meta({ format: "date-time" });

/** What went wrong. */
export const failure = {
  code: z.string().describe("stable, for programs"),
  message: z.string().describe("for a person"),
};

/** The service's value of a column or field, or null if it has none. */
export const given = z.string().nullable();
