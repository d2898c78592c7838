// Pieces of the inputs of Nexus's operations.

import { z } from "zod";

/** A row's id. Not z.uuid, which refuses ids that PostgreSQL takes. */
export const rowId = (of: string) => z.guid().describe(`The id of the ${of}, a UUID`);

/** The value of an enum. Not z.enum: the vendor's own pages disagree on the lists, and Nexus refuses what it does not know. */
export const label = (examples: string) =>
  z.string().regex(/^[a-z][a-z_]{0,39}$/, `must be in small letters, such as ${examples}`);

export const time = z.iso.datetime({ offset: true });

export const phoneNumber = z
  .string()
  .regex(
    /^\+[1-9]\d{4,14}$/,
    "must be a number with its country code and nothing else, such as +201005550101",
  )
  .describe("A phone number with its country code (E.164)");
