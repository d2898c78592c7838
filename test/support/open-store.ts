// The database for the tests of this process and the processes that they start: SQLite, or in vitest's project
// "postgres" a separate schema for each data directory. It imports nothing of vitest, so such a process can import it.

import { createHash } from "node:crypto";
import type { Store } from "../../src/contract/store.ts";
import { openStore as openSqliteStore, type StoreOptions } from "../../src/store/sqlite/store.ts";

export const ADAPTER: "sqlite" | "postgres" =
  process.env.NEXUSD_TEST_STORE === "postgres" ? "postgres" : "sqlite";

export const TEST_KEY = Buffer.alloc(32, 7);

/** A superuser's: test/support/postgres-setup.ts. */
export const postgresUrl = (): string => process.env.NEXUSD_TEST_POSTGRES_URL ?? "";

/** The schema that stands for a data directory. */
const schemaOf = (dataDir: string): string =>
  `t_${createHash("sha256").update(dataDir).digest("hex").slice(0, 24)}`;

/** Opens the store of a data directory. */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  if (ADAPTER === "sqlite") return openSqliteStore(options);
  const { openPostgresStore } = await import("../../src/store/postgres/store.ts");
  const { dataDir, clock, random } = options;
  return openPostgresStore({
    ...{ url: postgresUrl(), schema: schemaOf(dataDir), node: "test", keys: [TEST_KEY], clock },
    ...(random && { random }),
  });
};

/** The same for a configuration, with the variables that it refers to. */
export const storeTable = (dataDir: string): { toml: string; env: Record<string, string> } =>
  ADAPTER === "sqlite"
    ? { toml: "", env: {} }
    : {
        toml: `[store]\nkind = "postgres"\nschema = "${schemaOf(dataDir)}"\nurl = { source = "env", id = "NEXUSD_TEST_POSTGRES_URL" }\nencryption_key = { source = "env", id = "NEXUSD_TEST_KEY" }\n`,
        env: { NEXUSD_TEST_POSTGRES_URL: postgresUrl(), NEXUSD_TEST_KEY: TEST_KEY.toString("base64") },
      };
