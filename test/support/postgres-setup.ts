// One PostgreSQL for all test files of the project "postgres"; each test has a schema of its own in it.

import { startPostgres } from "./postgres.ts";

export default async function setup(): Promise<() => Promise<void>> {
  const server = await startPostgres();
  // The workers and their child processes inherit this one's environment.
  process.env.NEXUSD_TEST_POSTGRES_URL = server.url;
  return server.stop;
}
