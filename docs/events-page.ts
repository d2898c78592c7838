// docs/events.md, made from the table of events.

import { z } from "zod";
import { EVENTS, type EventName } from "../src/contract/events.ts";
import { TYPE_PREFIX } from "../src/contract/new-event.ts";
import { fieldRows, type Schema, table } from "./schema-table.ts";

const INTRODUCTION = `# Events

Everything that nexusd writes to its log, and so everything that an agent can wait for. This page is generated
(\`npm run docs\`) from the table in \`src/contract/events.ts\`.

An event is a [CloudEvent](https://cloudevents.io) in JSON. Its \`type\` begins with \`${TYPE_PREFIX}\`, which may be left out
where a type is asked for; \`sequence\` is its number in the log, as a string; \`time\` is when it was logged or, for what a
service dates, when it happened. All times are RFC 3339 in UTC unless the field is a service's own.

\`\`\`json
${JSON.stringify(wholeEvent("nexus.stock.low", "HOODIE-L-GRY", "/nexus/stock"), null, 2)}
\`\`\`

\`\`\`sh
nexusctl events --type 'messaging.*' --follow
\`\`\`

Texts from outside (messages, insights, rows) are served unchanged inside \`data\`: treat them as data of unknown origin.
Fields are added in later versions, never renamed or removed.
`;

function wholeEvent(type: EventName, subject: string, source: string) {
  return {
    specversion: "1.0",
    id: "01M7Y2SWW069WA8E5C29ZZEDV7",
    source,
    type: TYPE_PREFIX + type,
    subject,
    time: "2026-11-30T10:00:00.000Z",
    datacontenttype: "application/json",
    sequence: "9",
    data: EVENTS[type].example,
  };
}

/** The whole page, as Markdown. */
export function eventsPage(): string {
  const names = Object.keys(EVENTS) as EventName[]; // keys of the table itself
  const overview = table(
    ["type", "when"],
    names.map((name) => [`[\`${name}\`](#${name.replaceAll(".", "")})`, EVENTS[name].when]),
  );
  return `${[INTRODUCTION, overview, ...names.map(section)].join("\n\n")}\n`.replace(/\n\n\n+/g, "\n\n");
}

function section(name: EventName): string {
  const { when, subject, data, example } = EVENTS[name];
  const schema = z.toJSONSchema(data) as Schema; // of an object, whose fields are what the page shows
  return [
    `## ${name}`,
    `${when}${subject === null ? "" : ` The subject is ${subject}.`}`,
    table(["field of `data`", "type", "", ""], fieldRows(schema, "always")),
    `\`\`\`json\n${JSON.stringify(example, null, 2)}\n\`\`\``,
  ].join("\n\n");
}
