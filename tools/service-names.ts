// Generic code names no service: `npm run check` refuses a name outside the folders of the services, their commands and
// their jobs. A new exception is a line below, with its reason.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "../src/services/list.ts";
import type { Fault } from "./floors.ts";

/** Files that name a service outside its home, each with the reason. Paths are relative to the repository. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  "src/services/list.ts": "the one list of the services",
  "src/cli/services/commands.ts": "the list of the commands of services",
  "src/cli/services/event-words.ts": "the list of the words for their events",
  "src/cli/completion/places.ts": "what comes where behind each command, those of services among them",
  "src/client/client.ts":
    "the typed methods for the views of the services, in one class for whoever programs",
  "src/mcp/tools/insights.ts": "a tool for the view of one service, as the client has a method for it",
  "src/mcp/tools/messages.ts": "tools for the views and the sending of one service, likewise",
  "src/page/browser/stores/conversations.ts": "the view of the sessions of one service, as conversations",
  "src/page/routes.ts": "the views of the services that the page may ask for",
  "src/contract/events.ts": "the table of the event types",
  "src/contract/event-names.ts": "the table of the event types, without zod",
  "src/contract/searchable.ts": "the table of the types that can be searched",
  "src/contract/work.ts": "the table of the writes whose work goes on",
  "src/contract/problem-codes.ts": "the table of the problems; the remedy of one is a path of a service",
  "src/contract/api/import.ts": "the shape of a route of one service, which the client has a method for",
  "src/contract/api/views.ts": "the shapes of the views, made from those of the events",
  "src/core/redaction.ts": "shapes of secrets, one of them by the name that databases have for a session",
  "src/writes/secrets/tokens.ts": "kinds of keys of many vendors",
};

/** The home of services: their own folders and jobs, and the declarations of events with their examples. */
const homeOf = (names: readonly string[]): RegExp =>
  new RegExp(
    `^(?:src/(?:services|cli/services)/(?:${names.join("|")})/|src/contract/events/|jobs/(?:${names.join("|")})-)`,
  );

/** As a word, and as a part of a name in code: `nexus`, `Nexus`, `isNexus`, `NEXUS_KEY`; not `nexusd`. */
function patternOf(name: string): RegExp {
  const pascal = name.charAt(0).toUpperCase() + name.slice(1);
  const upper = name.toUpperCase();
  return new RegExp(
    `(?<![A-Za-z0-9])${name}(?![a-z0-9])|${pascal}(?![a-z0-9])|(?<![A-Za-z0-9])${upper}(?![A-Z0-9])`,
  );
}

const isComment = (line: string) => /^\s*(?:\/\/|\/?\*)/.test(line);
/** Without text for people: a trailing comment, and an example in a string: `such as "nexus.stock.low"`. */
const codeOf = (line: string) =>
  line
    .replace(/\s\/\/ .*$/, "")
    .replace(/(?:such as|[Nn]ame,) \[?"[^"]*"/g, "")
    .replaceAll("\\b", " ");

/**
 * @param sources texts by path relative to the repository
 * @returns each line that wrongly names a service, and each exception that is no longer needed
 */
export function faultsOf(
  sources: ReadonlyMap<string, string>,
  names: readonly string[],
  exceptions = EXCEPTIONS,
): Fault[] {
  const home = homeOf(names);
  const patterns = names.map((name) => ({ name, pattern: patternOf(name) }));
  const faults: Fault[] = [];
  const used = new Set<string>();
  for (const [file, text] of sources) {
    if (home.test(file)) continue;
    for (const [index, line] of text.split("\n").entries()) {
      const named = isComment(line) ? undefined : patterns.find(({ pattern }) => pattern.test(codeOf(line)));
      if (!named) continue;
      if (Object.hasOwn(exceptions, file)) used.add(file);
      else faults.push({ file: `${file}:${index + 1}`, message: `names the service ${named.name}` });
    }
  }
  for (const file of Object.keys(exceptions))
    if (!used.has(file)) faults.push({ file, message: "names no service: take it out of EXCEPTIONS" });
  return faults;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const files = globSync(["src/**/*.ts", "jobs/*.ts"], { cwd: root });
  const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
  const faults = faultsOf(
    sources,
    SERVICES.map(({ name }) => name),
  );
  for (const { file, message } of faults) process.stderr.write(`${file}: ${message}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
