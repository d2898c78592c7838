// The daemon's database: opened, watched, and with every credential in it registered with the redactor.

import type { Logger } from "pino";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import { type Redactor, short } from "../core/redaction.ts";
import { SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import { openStore } from "../store/sqlite/store.ts";
import type { Notifier } from "../systemd/notify.ts";
import { type StoreHealth, watchStore } from "./store-health.ts";

/** How long one migration of a large database may take. */
const MIGRATION_WITHIN_MS = 10 * 60_000;

/** @throws StoreError: nothing was left open */
export async function openDatabase(options: {
  dataDir: string;
  clock: Clock;
  log: Logger;
  redactor: Redactor;
  notifier: Notifier;
  /** Called if only a restart can fix it. @returns whether the process ends because of it */
  onFatal: (error: Error) => boolean;
}): Promise<{ store: Store; health: StoreHealth }> {
  const { dataDir, clock, log, redactor, notifier, onFatal } = options;
  const opened = await openStore({
    dataDir,
    clock,
    onMigration: () => notifier.extendTimeout(MIGRATION_WITHIN_MS),
  });
  return watchStore(opened, clock, {
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
}
