// An example from a page of the documentation, for a test to run as a reader would.

import { readFileSync } from "node:fs";

/** The code after `<!-- test: NAME -->` in a page of docs/. @throws Error if the page has none with that name */
export function snippetOf(page: string, name: string): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), "utf8");
  const [, code] = new RegExp(`<!-- test: ${name} -->\n\`\`\`\\w*\n(.*?)\n\`\`\`\n`, "s").exec(text) ?? [];
  if (code === undefined) throw new Error(`docs/${page} has no code that is marked for the test "${name}"`);
  return code;
}
