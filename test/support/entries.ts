// Run with --import: the package's entry points resolve to this checkout, as if it were installed.

import { registerHooks } from "node:module";

const ENTRIES: Readonly<Record<string, string>> = {
  "nexusd/client": new URL("../../src/client/index.ts", import.meta.url).href,
  "nexusd/job": new URL("../../src/job/index.ts", import.meta.url).href,
};

registerHooks({ resolve: (specifier, context, next) => next(ENTRIES[specifier] ?? specifier, context) });
