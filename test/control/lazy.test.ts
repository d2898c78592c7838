// Modules that an idle daemon must not have loaded.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

test("nothing that only OpenAPI or fastify's own compilers need is loaded at startup", () => {
  const script = `
    import { createRequire } from "node:module";
    const { createApp } = await import("./src/control/app.ts");
    const { registerRoutes } = await import("./src/control/routes.ts");
    const { createGate } = await import("./src/control/gate.ts");
    const { messagingRoutes } = await import("./src/services/messaging/routes.ts");
    const { nexRoutes } = await import("./src/services/nex/routes.ts");
    const { nexusRoutes } = await import("./src/services/nexus/routes.ts");
    const store = { epoch: "e" };
    const routes = [...messagingRoutes({ store }), ...nexRoutes(store), ...nexusRoutes(store)];
    const context = { version: "1", store, scheduler: {}, routes };
    for (const role of ["agent", "operator"]) {
      const gate = createGate({ role, limits: () => ({}) });
      const app = createApp({ context, role, gate });
      registerRoutes(app, { context, role, gate });
      await app.ready();
    }
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify({ fastify: loaded.some((file) => file.includes("/fastify/")), loaded: loaded.filter((file) => /swagger|ajv|openapi|light-my-request/.test(file)) }));
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  expect(JSON.parse(output)).toEqual({ fastify: true, loaded: [] });
});

test("the rules for secrets are loaded with the first outgoing text, not before", () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load(url, context, next) { if (url.includes("@secretlint")) loaded.push(url); return next(url, context); } });
    const { createTextScan } = await import("./src/writes/outgoing-text.ts");
    await import("./src/daemon/write-path.ts");
    const before = loaded.length;
    await createTextScan({ credentialsIn: async () => [] })([{ path: ["text"], text: "hello" }]);
    console.log(JSON.stringify({ before, after: loaded.length > 0 }));
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  expect(JSON.parse(output)).toEqual({ before: 0, after: true });
});
