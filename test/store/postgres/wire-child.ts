// A node that holds the executor's lease, and sends one request when it is told to.
// Run as: node wire-child.ts URL SCHEMA NODE SERVER; says "held", and then what became of the request.

import { once } from "node:events";
import { writeSync } from "node:fs";
import { EXECUTOR_LEASE } from "../../../src/contract/leases.ts";
import { systemClock as clock } from "../../../src/core/clock.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { openPostgresStore } from "../../../src/store/postgres/store.ts";

const [url = "", schema = "", node = "", server = ""] = process.argv.slice(2);
const store = await openPostgresStore({ url, schema, node, keys: [Buffer.alloc(32, 7)], clock });
const http = createHttpClient({
  ...{ service: "test", origin: server, clock, timeoutMs: 10_000, maxBytes: 1000, userAgent: node },
});
const say = (text: string) => writeSync(1, `${text}\n`);
const commit = () =>
  store.commitObservation({ source: "test", cursor: node }).then(
    () => "committed",
    (error: { code?: unknown }) => `${error.code}`,
  );
await store.fleet.hold(EXECUTOR_LEASE, new AbortController().signal, async (lease) => {
  say("held");
  await once(process.stdin, "data");
  const sent = await http
    .request({
      ...{ method: "POST", path: `/${node}`, label: "POST /", once: true },
      mayBegin: () => lease.heldUntil() > clock.monotonic() + 500,
    })
    .then(
      () => "sent",
      (error: unknown) => (error instanceof HttpError ? error.code : String(error)),
    );
  say(`${sent} ${await commit()}`);
});
await store.close();
process.exit(0);
