// The printable part of a database address. Without pg, which is loaded only if it is used.

import { StoreError } from "../../contract/store.ts";

/** @throws StoreError `unusable` for anything but a PostgreSQL URL; the message does not repeat it */
export function placeOf(url: string, schema: string): string {
  const parsed = URL.parse(url);
  if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol))
    throw new StoreError(
      "unusable",
      "[store] url: it is not a URL of PostgreSQL; write it as postgres://user:password@host:5432/database",
    );
  const socket = parsed.searchParams.get("host");
  return `postgres://${socket ?? parsed.host}${parsed.pathname} (schema ${schema})`;
}
