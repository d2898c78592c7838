// docs/errors.md, made of the registry of problems.

import { PROBLEMS } from "../src/contract/problem-codes.ts";
import { table } from "./schema-table.ts";

const INTRODUCTION = `# Errors

Every refusal and failure of the control API is \`application/problem+json\` (RFC 9457). \`code\` is stable; the words
may change. \`nexusctl\` prints the same on stdout and exits with 1, and \`nexusd/client\` throws a \`NexusdError\` with
the same \`code\`. This page is generated (\`npm run docs\`) from src/contract/problem-codes.ts.
`;

/** The whole page, as Markdown. */
export function errorsPage(): string {
  const rows = Object.entries(PROBLEMS)
    .toSorted(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, title, remedy }]) => [String(status), `\`${code}\``, title, remedy]);
  return `${INTRODUCTION}\n${table(["status", "code", "", "what to do"], rows)}\n`;
}
