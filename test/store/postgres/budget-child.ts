// A node that sends as much as a shared budget allows, until it is killed.
// Run as: node budget-child.ts URL SCHEMA NODE SERVER LIMIT WINDOW_MS

import { systemClock as clock, readBootId } from "../../../src/core/clock.ts";
import { createBudget } from "../../../src/http/budget.ts";
import { createSharedPart } from "../../../src/http/shared-budget.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { createSharedValues } from "../../../src/store/postgres/shared-values.ts";

const [url = "", schema = "", node = "", server = "", limit = "", window = ""] = process.argv.slice(2);
const windowMs = Number(window);
const values = createSharedValues({ url, schema, place: "the test's database", applicationName: node });
const budget = createBudget({
  ...{ limit: Number(limit), reserve: 0, windowMs, clock },
  share: (owner) =>
    createSharedPart(
      { values, name: "test", node, boot: readBootId(), windowMs, clock, onFailure: () => {} },
      owner,
    ),
});
const http = createHttpClient({
  ...{ service: "test", origin: server, clock, budget, timeoutMs: 10_000, maxBytes: 1000, userAgent: node },
});
const send = async () => {
  for (;;)
    await http
      .request({ method: "GET", path: `/${node}`, label: "GET /", priority: "people", waitMs: 600_000 })
      .catch(() => {});
};
for (let n = 0; n < 3; n++) void send();
