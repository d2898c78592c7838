// Makes the libraries smaller, before they are loaded; every agent of a machine has such a server all day. Left out is what
// they bring along and this server never uses: the words of errors in sixty languages, and a validator for answers to
// questions that it never asks. A text with one character beyond Latin-1, such as a dash in a comment, takes V8 twice the
// room: there the character is written as its escape, which means the same. Together they are 5 MB of 65. Where a later
// version of a library has other files, they are loaded as they are.

import { registerHooks } from "node:module";

const LIBRARY = /\/node_modules\/(?:zod|@modelcontextprotocol\/\w+)\//;
const LOCALES = /\/zod\/v4\/locales\/(?!en\.|index\.)[\w-]+\.js$/;
const SHIMS = /\/@modelcontextprotocol\/server\/dist\/shimsNode\.mjs$/;

const NO_LOCALE = "export default () => ({});";
const OWN_SHIMS =
  "export class DefaultJsonSchemaValidator {} const own = process; export { own as process };";

registerHooks({
  load: (url, context, next) => {
    const own = LOCALES.test(url) ? NO_LOCALE : SHIMS.test(url) ? OWN_SHIMS : undefined;
    if (own !== undefined) return { format: "module", source: own, shortCircuit: true };
    const loaded = next(url, context);
    const { source } = loaded;
    if (loaded.format !== "module" || !LIBRARY.test(url) || source === undefined || source === null)
      return loaded;
    return {
      ...loaded,
      source: ascii(typeof source === "string" ? source : new TextDecoder().decode(source)),
    };
  },
});

/** Behind a backslash the escape would mean something else. */
const ESCAPED = /\\[\u0080-\uffff]/;

/** As bytes: only of those V8 makes a text with one byte for each character. */
const ascii = (source: string): Buffer | string =>
  ESCAPED.test(source)
    ? source
    : Buffer.from(
        source.replace(
          /[\u0080-\uffff]/g,
          (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
        ),
        "latin1",
      );
