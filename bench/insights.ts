// How fast the insight search is, against scanning the text of every event of the same database.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { NewEvent } from "../src/contract/new-event.ts";
import type { SearchQuery } from "../src/contract/store.ts";
import { systemClock } from "../src/core/clock.ts";
import { openStore } from "../src/store/sqlite/store.ts";
import { median, print } from "./figure.ts";

const INSIGHTS = 100_000;
const AT_ONCE = 1000;
const TIMES = 200;
const LIMIT = 20;

const TYPES = ["opportunity", "risk", "relationship", "preference", "milestone", "activity"];
const WORDS = "budget offer delivery renewal contract invoice meeting sample price approval".split(" ");
const at = <T>(list: readonly T[], n: number) => list[n % list.length];

const insight = (n: number): NewEvent => ({
  type: "nex.insight.received",
  source: "/nex/insights",
  data: {
    origin: "live",
    workspace: { slug: "bench" },
    insight: {
      type: at(TYPES, n * 7),
      content: `The ${at(WORDS, n)} of order number${n} depends on the ${at(WORDS, n * 3)} of next quarter`,
      confidence: ((n * 13) % 100) / 100,
      target: { entity_type: "person", hint: `Person${n % 5000} Family${n % 300}` },
      // As long as those of Nex.
      evidence: [{ excerpt: `"we will see" ${n} ${"lorem ipsum ".repeat(60)}`, artifact: { type: "email" } }],
    },
  },
});

const CASES: Record<string, Partial<SearchQuery>> = {
  "the newest": {},
  "of a type": { type: "risk" },
  "with a word that is in a tenth": { text: "budget" },
  "with two words": { text: "invoice sample" },
  "with a word that is in one": { text: "number4711" },
  "with a word that is in none": { text: "nowhere" },
  "about somebody, sure": { target: "person4711", minConfidence: 0.5 },
};

const dataDir = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
const store = await openStore({ dataDir, clock: systemClock });
for (let n = 0; n < INSIGHTS; n += AT_ONCE) {
  const events = Array.from({ length: AT_ONCE }, (_, index) => insight(n + index));
  await store.commitObservation({ source: "bench", events });
}

const bare = new Database(join(dataDir, "nexusd.db"), { readonly: true });
const scan = bare.prepare("SELECT data FROM events WHERE data LIKE ? ORDER BY sequence DESC LIMIT ?");
const scanned = Array.from({ length: 5 }, () => {
  const startedAt = performance.now();
  scan.all("%nowhere%", LIMIT);
  return performance.now() - startedAt;
});

for (const [name, query] of Object.entries(CASES)) {
  const took: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    const startedAt = performance.now();
    await store.searchEvents({ limit: LIMIT, ...query });
    took.push(performance.now() - startedAt);
  }
  const figure = { bench: "insights", case: `${name}, ${INSIGHTS} remembered`, unit: "ms" };
  print({ ...figure, figure: "median", value: median(took), baseline: median(scanned) });
}

bare.close();
await store.close();
rmSync(dataDir, { recursive: true });
