/** The cache of compiled code that vitest.config.ts names, for processes that get an environment of their own. */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "" };
