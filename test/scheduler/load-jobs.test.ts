// Jobs from a directory: good ones load, each bad one says what is wrong with it. In a process of its own, since
// how Node.js itself loads and refuses a file is what is tested.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/store.ts";

const MODULE = resolve("src/scheduler/load-jobs.ts");

interface Loaded {
  jobs: { name: string; kind: string }[];
  problems: { file: string; message: string }[];
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
    const { jobs, problems } = await loadJobs(process.argv[1], ...JSON.parse(process.argv[2]));
    process.stdout.write(JSON.stringify({ jobs, problems }));
    process.exit(0);`;
  const args = [
    "--input-type=module",
    "--eval",
    script,
    "--",
    directory,
    JSON.stringify([{ jobs: taken, services: ["messaging", "nex", "nexus"] }, timeoutMs]),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const loaded: Loaded = JSON.parse(stdout);
  for (const problem of loaded.problems) problem.file = problem.file.replace(`${directory}/`, "");
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

it("loads JavaScript and TypeScript, and nothing that is no job", async () => {
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
  expect(loaded.problems).toEqual([]);
  expect(loaded.jobs.map(({ name, kind }) => [name, kind])).toEqual([
    ["a", "cron"],
    ["b", "cron"],
    ["c", "paced"],
    ["d", "stream"],
  ]);
});

it("loads the good ones beside the bad, and names the problem of each", async () => {
  const { jobs, problems } = await load(
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
    },
    { taken: ["retention"] },
  );
  expect(jobs.map(({ name }) => name)).toEqual(["good", "last"]);
  const messages = Object.fromEntries(problems.map(({ file, message }) => [file, message]));
  const expected: Record<string, RegExp> = {
    "02-syntax.mjs": /^is not valid JavaScript: .*; `node --check .*02-syntax.mjs` shows the place$/,
    "02-syntax.ts": /^is not valid TypeScript for Node.js, line 2: .*enum/,
    "03-no-default.js": /^has no default export; write `export default \{/,
    "04-throws.js": /^throws when it is loaded: TypeError: /,
    "05-throws-text.js": /^throws when it is loaded: text$/,
    "06-import.js": /^throws when it is loaded: .*not-there/,
    "07-not-an-object.js": /^default export: must be a job, an object$/,
    "08-no-kind.js": /^kind: must be "cron", "paced" or "stream"$/,
    "09-fields.js":
      /^name: must be lower case words[^;]*; run: must be a function; catchup: is not a field of such a job: did you mean "catchUp"\?$/,
    "09-words.js":
      /^description: must be a text; catchUp: must be "none" or "once"; colour: [^;]*: known are name, .*, run; schedule: must be a cron.*; service: must be "messaging" or "nex" or "nexus"$/,
    "10-schedule.js": /^schedule: must be a cron expression/,
    "11-never.js": /^schedule: names a time that never comes$/,
    "12-timezone.js": /^timezone: must be an IANA name/,
    "13-duplicate.js": /^name: "good" is taken by 01-good.js$/,
    "14-taken.js": /^name: "retention" is taken by a job of nexusd$/,
  };
  expect(Object.keys(messages)).toEqual(Object.keys(expected));
  for (const [file, pattern] of Object.entries(expected)) expect(messages[file]).toMatch(pattern);
});

it("says so when the directory does not exist", async () => {
  const { jobs, problems } = await load({}, { missing: "nowhere" });
  expect(jobs).toEqual([]);
  expect(problems).toMatchObject([{ message: expect.stringMatching(/ENOENT.*create the directory/) }]);
});

it("gives up on a file whose loading never ends, and loads the others", async () => {
  const files = {
    "a-hangs.js": "await new Promise(() => setInterval(() => {}, 1000));",
    "b-good.js": cron(),
  };
  const { jobs, problems } = await load(files, { timeoutMs: 200 });
  expect(jobs).toHaveLength(1);
  expect(problems).toMatchObject([{ file: "a-hangs.js", message: expect.stringMatching(/within 0.2 s/) }]);
});
