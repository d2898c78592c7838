// Stores on PostgreSQL for the tests of that adapter alone, and a superuser who respects nothing.

import { randomBytes } from "node:crypto";
import pg from "pg";
import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import {
  openPostgresStore,
  type PostgresOptions,
  type PostgresStore,
} from "../../../src/store/postgres/store.ts";
import { postgresUrl, TEST_KEY } from "../../support/open-store.ts";

/** A schema that no other test has. */
export const newSchema = (): string => `t_${randomBytes(8).toString("hex")}`;

/** A store in a schema of its own unless one is named; it is closed when the test is over. */
export async function openPostgres(options: Partial<PostgresOptions> = {}): Promise<PostgresStore> {
  const url = options.url ?? postgresUrl();
  const store = await openPostgresStore({
    ...{ url, schema: newSchema(), node: "test", keys: [TEST_KEY], clock: systemClock },
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

/** A connection as the superuser, whose statements are about one schema. */
export async function connectTo(schema: string, url = postgresUrl()): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  await client.query(`SET search_path TO "${schema}"`);
  onTestFinished(() => client.end());
  return client;
}
