// The daemon's database: opened, watched, and with every credential in it registered with the redactor.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import { allSecrets, type ResolvedSecrets } from "../config/secrets.ts";
import { encryptionKeys, nodeName, STORE_SECRETS } from "../config/store.ts";
import { readVersion } from "../config/version.ts";
import type { SharedValues } from "../contract/shared-values.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import { type Redactor, short } from "../core/redaction.ts";
import { SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import { openDirectory } from "../store/sqlite/open.ts";
import { openStore } from "../store/sqlite/store.ts";
import type { Notifier } from "../systemd/notify.ts";
import { type StoreHealth, watchStore } from "./store-health.ts";

/** How long one migration of a large database may take. */
const MIGRATION_WITHIN_MS = 10 * 60_000;

export interface Database {
  store: Store;
  /** What nodes share beside the log; undefined: there is one node. */
  values: SharedValues | undefined;
  health: StoreHealth;
  /** Takes over the keys of a reloaded configuration. @throws StoreError: the old ones stay */
  setSecrets(secrets: ResolvedSecrets): Promise<void>;
}

/** @throws StoreError: nothing was left open */
export async function openDatabase(options: {
  config: Config;
  secrets: ResolvedSecrets;
  clock: Clock;
  log: Logger;
  redactor: Redactor;
  notifier: Notifier;
  /** Called if only a restart can fix it. @returns whether the process ends because of it */
  onFatal: (error: Error) => boolean;
}): Promise<Database> {
  const { clock, log, redactor, onFatal } = options;
  const { store, values, setSecrets } = await openConfigured(options);
  const watched = watchStore(store, clock, {
    onSecret: redactor.add,
    hide: redactor.hide,
    secretKinds: SERVICES.flatMap(({ secretKinds }: ServiceModule) => secretKinds),
    onSecretKey: (key) => redactor.add(key, short(key)),
    onChange: (error) => {
      if (error?.code === "unusable" && onFatal(error)) return;
      if (error) log.error({ code: error.code }, error.message);
      else log.info("the database accepts commits again");
    },
  });
  return { ...watched, values, setSecrets };
}

async function openConfigured(options: {
  config: Config;
  secrets: ResolvedSecrets;
  clock: Clock;
  log: Logger;
  redactor: Redactor;
  notifier: Notifier;
}): Promise<Pick<Database, "store" | "values" | "setSecrets">> {
  const { config, secrets, clock, log, redactor, notifier } = options;
  const dataDir = config.daemon.data_dir;
  const onMigration = () => notifier.extendTimeout(MIGRATION_WITHIN_MS);
  const identity = { node: nodeName(config), version: readVersion() };
  if (config.store.kind === "sqlite")
    return {
      store: await openStore({ dataDir, clock, onMigration, ...identity }),
      values: undefined,
      setSecrets: async () => {},
    };
  for (const secret of allSecrets(secrets)) redactor.add(secret.reveal());
  // Its library is loaded only where it is used.
  const { openPostgresStore } = await import("../store/postgres/store.ts");
  const directory = openDirectory(dataDir);
  try {
    const store = await openPostgresStore({
      ...{ clock, dataDir, onMigration, schema: config.store.schema, ...identity },
      url: secrets[STORE_SECRETS]?.url?.reveal() ?? "",
      keys: encryptionKeys(secrets) ?? [],
      onNotice: (text) => log.warn(text),
    });
    const close = async () => {
      await store.close();
      directory.close();
    };
    return {
      store: { ...store, close },
      values: store.values,
      setSecrets: (next) => store.setKeys(encryptionKeys(next) ?? []),
    };
  } catch (error) {
    directory.close();
    throw error;
  }
}
