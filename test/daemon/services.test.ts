import pino from "pino";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { createRedactor } from "../../src/core/redaction.ts";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { startServices } from "../../src/daemon/services.ts";
import { createBudgets } from "../../src/http/budgets.ts";
import { createCounts } from "../../src/services/counts.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openTestStore } from "../support/store.ts";

async function start(toml: object) {
  const clock = createFakeClock();
  const services = await startServices({
    ...{
      version: "0",
      clock,
      steady: createSteadyClock(clock),
      random: () => 0,
      log: pino({ level: "silent" }),
      redactor: createRedactor(),
    },
    ...{ store: await openTestStore(), budgets: createBudgets({ clock }), counts: createCounts() },
  });
  const connect = (changes: object) =>
    services.connect({ config: configSchema.parse({ nexus: { enabled: false }, ...changes }), secrets: {} });
  await services.recall();
  connect(toml);
  return { services, connect };
}

test("a request goes to the origin in the current configuration", async () => {
  const { services, connect } = await start({ nex: { enabled: false } });
  expect((await services.facts("messaging")).origin).toBe("https://messaging.md");
  connect({ nex: { enabled: false }, messaging: { base_url: "https://other.example" } });
  expect((await services.facts("messaging")).origin).toBe("https://other.example");
});

test("a disabled service is refused, and the others are not", async () => {
  const { services } = await start({ nex: { enabled: false } });
  await expect(services.facts("nex")).rejects.toMatchObject({
    code: "service_disabled",
    message: "nex is disabled: set nex.enabled = true",
  });
  await expect(services.facts("messaging")).resolves.toBeDefined();
});
