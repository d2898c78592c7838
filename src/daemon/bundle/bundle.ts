// Bundles the daemon: `node src/daemon/bundle/bundle.ts DIRECTORY`, part of `npm run build`, and of `npm ci` in a
// checkout.

import { join } from "node:path";
import type { Plugin } from "esbuild";
import { bundleByArguments, ROOT } from "../../cli/bundle/make.ts";

/** Loaded on demand, from their packages, and what is native. */
const APART = [
  "@fastify/swagger",
  "@modelcontextprotocol/client",
  "@secretlint/*",
  "better-sqlite3",
  "diff",
  "pg",
  "pino-pretty",
  "standardwebhooks",
];

/**
 * What libraries can do beyond what nexusd does with them: fastify's own compilers and its requests without a
 * connection, undici's forms and HTTP/2.
 */
const UNUSED =
  /^(?:@fastify\/ajv-compiler|@fastify\/fast-json-stringify-compiler|light-my-request|\.\/client-h2\.js|\.\.\/web\/.*)$/;

const parts: Plugin = {
  name: "parts of the daemon",
  setup(build) {
    // Of undici only what makes connections: without fetch, mocks, caches and WebSockets.
    build.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "undici" }));
    build.onLoad({ filter: /./, namespace: "undici" }, () => ({
      contents: 'export { default as Agent } from "undici/lib/dispatcher/agent.js";',
      resolveDir: ROOT,
    }));
    // fastify loads them for servers that there are none of: 12 MB.
    build.onResolve({ filter: /^node:https?2?$/ }, ({ importer, path }) =>
      /\/fastify\//.test(importer) && path !== "node:http" ? { path, namespace: "unused" } : undefined,
    );
    build.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
    build.onLoad({ filter: /./, namespace: "unused" }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get() { throw new Error(${JSON.stringify(`${path} is not in the bundle`)}); } });`,
    }));
  },
};

if (import.meta.main)
  await bundleByArguments({
    entries: [join(import.meta.dirname, "start.ts")],
    main: "daemon/main",
    build: {
      ...{ format: "esm", external: APART },
      // A parser of undici that is off by default.
      define: { esbuildDetection: "true" },
      sourcemap: "external",
      sourcesContent: false,
      plugins: [parts],
    },
  });
