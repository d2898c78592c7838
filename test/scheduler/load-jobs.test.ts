// Jobs from a directory: valid ones are loaded, each invalid one reports its fault. In its own process, because this
// tests how Node.js itself loads and refuses a file.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/store.ts";

const MODULE = resolve("src/scheduler/load-jobs.ts");

interface Loaded {
  jobs: { name: string; kind: string }[];
  invalid: { file: string; line?: number; message: string }[];
}

interface Options {
  taken?: string[];
  missing?: string;
  timeoutMs?: number;
}

async function load(
  files: Record<string, string>,
  { taken = [], missing = "", timeoutMs = 10_000 }: Options = {},
): Promise<Loaded> {
  const directory = join(temporaryDirectory(), missing);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const script = `
    import { loadJobs } from ${JSON.stringify(MODULE)};
    const { jobs, invalid } = await loadJobs(process.argv[1], ...JSON.parse(process.argv[2]));
    process.stdout.write(JSON.stringify({ jobs, invalid }));
    process.exit(0);`;
  const args = [
    "--input-type=module",
    "--eval",
    script,
    "--",
    directory,
    JSON.stringify([
      { jobs: taken, services: ["messaging", "nex", "nexus"] },
      { importTimeoutMs: timeoutMs },
    ]),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const loaded: Loaded = JSON.parse(stdout);
  for (const problem of loaded.invalid) problem.file = problem.file.replace(`${directory}/`, "");
  return loaded;
}

const cron = (fields: Record<string, string> = {}) => {
  const all = {
    name: '"my-job"',
    description: '"Does a thing"',
    kind: '"cron"',
    schedule: '"*/5 * * * *"',
    catchUp: '"once"',
    run: "async () => {}",
    ...fields,
  };
  return `export default { ${Object.entries(all)
    .map(([key, value]) => `${key}: ${value}`)
    .join(", ")} };`;
};

it("loads JavaScript and TypeScript, and nothing that is not a job", async () => {
  const loaded = await load({
    "a.js": cron({ name: '"a"' }),
    "b.mjs": cron({ name: '"b"', schedule: "(config) => config.jobs.retention.schedule" }),
    "c.ts": `type Name = string; const name: Name = "c"; export default { name, description: "Typed", kind: "paced", paceMs: () => 1, step: async () => {} };`,
    "d.js": `export default { name: "d", description: "Held", kind: "stream", service: "nex", intervalMs: () => 1, run: async () => {} };`,
    "d.test.js": "throw new Error('a test')",
    "types.d.ts": "export {}",
    "_shared.js": "export const shared = 1;",
    "notes.txt": "not a job",
  });
  expect(loaded.invalid).toEqual([]);
  expect(loaded.jobs.map(({ name, kind }) => [name, kind])).toEqual([
    ["a", "cron"],
    ["b", "cron"],
    ["c", "paced"],
    ["d", "stream"],
  ]);
});

it("loads the valid files beside the invalid ones, and names the problem of each", async () => {
  const { jobs, invalid } = await load(
    {
      "01-good.js": cron({ name: '"good"' }),
      "02-syntax.mjs": "export default {\n  name: 'x',\n  oops here\n};",
      "02-syntax.ts": "export default {};\nenum Nothing { A }",
      "03-no-default.js": "export const job = 1;",
      "04-throws.js": "null.nothing;",
      "05-throws-text.js": "throw 'text';",
      "06-import.js": "import './not-there.js'; export default {};",
      "07-not-an-object.js": "export default 42;",
      "08-no-kind.js": 'export default { name: "x" };',
      "09-fields.js": cron({ name: '"My Job"', run: '"not a function"', catchup: '"once"' }),
      "09-words.js": cron({
        description: "5",
        service: '"mail"',
        catchUp: '"twice"',
        schedule: '"daily"',
        colour: '"red"',
      }),
      "10-schedule.js": cron({ schedule: '"61 * * * *"' }),
      "11-never.js": cron({ schedule: '"0 0 30 2 *"' }),
      "12-timezone.js": cron({ timezone: '"Mars/Olympus"' }),
      "13-duplicate.js": cron({ name: '"good"' }),
      "14-taken.js": cron({ name: '"retention"' }),
      "15-last.js": cron({ name: '"last"' }),
      "16-line.ts":
        'export default {\n  name: "line",\n  description: "x",\n  schedule: "soon",\n  kind: "cron", catchUp: "once", async run() {},\n};',
      "17-events.js": `import { z } from "nexusd/job";\n${cron({
        name: '"events"',
        events: `{
  "nexus.report.made": { when: "now", data: z.object({}) },
  "shop": { when: "now", data: z.object({}) },
  "shop.report.made": { when: "now", data: z.object({ items: z.number() }), example: { items: "3" } },
}`,
      })}`,
      "18-settings.js": cron({
        name: '"settings"',
        settings: "{}",
        events: '{ "shop.made": { when: "x", data: 1 } }',
      }),
    },
    { taken: ["retention"] },
  );
  expect(jobs.map(({ name }) => name)).toEqual(["good", "last"]);
  const messages = Object.fromEntries(
    invalid.map(({ file, line, message }) => [file, `${line ?? "-"}: ${message}`]),
  );
  const expected: Record<string, RegExp> = {
    "02-syntax.mjs": /^3: is not valid JavaScript: /,
    "02-syntax.ts": /^2: is not valid TypeScript for Node.js: .*enum/,
    "03-no-default.js": /^-: has no default export; write `export default \{/,
    "04-throws.js": /^1: throws while it is loaded: TypeError: /,
    "05-throws-text.js": /^-: throws while it is loaded: text$/,
    "06-import.js": /^-: throws while it is loaded: .*not-there/,
    "07-not-an-object.js": /^1: default export: must be a job object$/,
    "08-no-kind.js": /^1: kind: must be "cron", "paced" or "stream"$/,
    "09-fields.js":
      /^1: name: must be lower case words[^;]*; run: must be a function; catchup: is not a field of this kind of job: did you mean "catchUp"\?$/,
    "09-words.js":
      /^1: description: must be a string; catchUp: must be "none" or "once"; colour: [^;]*: known fields are name, .*, run; schedule: must be a cron.*; service: must be "messaging" or "nex" or "nexus"$/,
    "10-schedule.js": /^1: schedule: must be a cron expression/,
    "11-never.js": /^1: schedule: describes a time that never comes$/,
    "12-timezone.js": /^1: timezone: must be an IANA name/,
    "13-duplicate.js": /^1: name: "good" is taken by 01-good.js$/,
    "14-taken.js": /^1: name: "retention" is taken by a built-in job$/,
    "16-line.ts": /^4: schedule: must be a cron expression/,
    "17-events.js":
      /^3: events.nexus.report.made: must not begin with "nexus", which nexusd's own events use; events.shop: must have a name like "shop.report.made"; events.shop.report.made: example.items: must be a number$/,
    "18-settings.js": /^1: settings: must be a zod schema; events.shop.made.data: must be a zod schema$/,
  };
  expect(Object.keys(messages)).toEqual(Object.keys(expected));
  for (const [file, pattern] of Object.entries(expected)) expect(messages[file]).toMatch(pattern);
});

it("reports a missing directory", async () => {
  const { jobs, invalid } = await load({}, { missing: "nowhere" });
  expect(jobs).toEqual([]);
  expect(invalid).toMatchObject([{ message: expect.stringMatching(/ENOENT.*create the directory/) }]);
});

it("gives up on a file that never finishes loading, and loads the others", async () => {
  const files = {
    "a-hangs.js": "await new Promise(() => setInterval(() => {}, 1000));",
    "b-good.js": cron(),
  };
  const { jobs, invalid } = await load(files, { timeoutMs: 200 });
  expect(jobs).toHaveLength(1);
  expect(invalid).toMatchObject([{ file: "a-hangs.js", message: expect.stringMatching(/within 0.2 s/) }]);
});
