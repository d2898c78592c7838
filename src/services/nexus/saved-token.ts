// The token as stored on disk, and its age, whatever happened to the wall clock meanwhile.

import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import type { SteadyClock } from "../../core/steady-clock.ts";

/** Stores the token beyond the process; `save` resolves once it is on disk. */
export interface TokenStorage {
  load(): Promise<string | undefined>;
  save(json: string): Promise<void>;
}

const issuedSchema = z.object({
  token: z.string(),
  /** When it was issued, by the wall clock of that moment, in ms since the epoch. */
  issuedAt: z.number(),
  lifeMs: z.number(),
});
/** An exchanged token, and how long it is valid. */
export type Issued = z.infer<typeof issuedSchema>;

const savedSchema = z.object({
  /** The key and the origin that the token belongs to: no other may ever get it. */
  owner: z.string().nullable().default(null),
  organizationId: z.string().nullable().default(null),
  current: issuedSchema.extend({ refreshAfterMs: z.number() }).nullable().default(null),
  /** The previous one, while it is valid: it helps if a Nexus clock does not accept the new one yet. */
  previous: issuedSchema.nullable().default(null),
  /** When the latest exchanges were sent, in ms since the epoch. */
  exchanges: z.array(z.number()).default([]),
});
export type SavedToken = z.infer<typeof savedSchema>;

/** Unreadable content counts as nothing. */
export async function loadToken(storage: TokenStorage, owner: string): Promise<SavedToken> {
  const parsed = savedSchema.safeParse(readJson(await storage.load()));
  const found = parsed.success ? parsed.data : savedSchema.parse({});
  return found.owner === owner ? found : { ...savedSchema.parse({}), exchanges: found.exchanges };
}

/**
 * The age of a token in milliseconds. One from this life is as old as the uptime says, which no clock step changes and
 * which includes sleep; for one from an earlier life the steady clock knows at least how old it is.
 */
export function createAges(clock: Pick<Clock, "uptime">, steady: Pick<SteadyClock, "ageOf">) {
  const bornAt = new Map<string, number>();
  return {
    /** It was had just now. */
    begin: ({ token }: Issued): void => void bornAt.set(token, clock.uptime()),
    /** It was read from the disk. */
    recall({ token, issuedAt }: Issued): void {
      if (!bornAt.has(token)) bornAt.set(token, clock.uptime() - steady.ageOf(issuedAt));
    },
    of: ({ token }: Issued): number => clock.uptime() - (bornAt.get(token) ?? Number.NEGATIVE_INFINITY),
    /** Forgets all but these. */
    keep(tokens: readonly (Issued | null)[]): void {
      for (const token of bornAt.keys())
        if (!tokens.some((kept) => kept?.token === token)) bornAt.delete(token);
    },
  };
}

const readJson = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
};
