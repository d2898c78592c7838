// Errors of the store, as reported by commands that use the database directly.

import { StoreError } from "../contract/store.ts";
import { Failed } from "./problem.ts";

/** For a `catch`. @throws Failed for a StoreError, else the error itself */
export function storeFailure(error: unknown): never {
  if (!(error instanceof StoreError)) throw error;
  const advice = error.code === "locked" ? ". Stop the daemon first: systemctl stop nexusd" : "";
  throw new Failed(
    { title: "The database cannot be used", detail: `${error.message}${advice}`, code: error.code },
    { cause: error },
  );
}
