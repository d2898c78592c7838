// docs/metrics.md and docs/alerts.yml against a scrape.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { metricsPage } from "../../docs/metrics-page.ts";
import { runCli } from "../support/cli.ts";
import { scrape, startKnown } from "../support/metrics.ts";

describe("the metrics page", () => {
  test("is current (npm run docs)", async () => {
    expect(readFileSync("docs/metrics.md", "utf8")).toBe(await metricsPage());
  });

  test("docs/metrics.md lists each metric with its type, labels and meaning, and no other", async () => {
    const families = await scrape(await startKnown());
    const scraped = [...families.values()].map(({ name, type, help, series }) => {
      expect(series, name).not.toEqual([]);
      const labels = new Set(
        series.flatMap((one) => Object.keys(one.labels)).filter((label) => label !== "le"),
      );
      return { name, type, labels: [...labels].sort(), help };
    });
    const page = readFileSync("docs/metrics.md", "utf8");
    const documented = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
      ([, name, type, labels = "", , help]) => ({
        ...{ name, type, help },
        labels: labels === "none" ? [] : [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(),
      }),
    );
    expect(documented).toEqual(scraped.map((one) => expect.objectContaining(one)));
    expect(documented.length).toBe(page.match(/^\| `/gm)?.length);
  });

  test("names follow the conventions: base units, _total for counters only, no label that Prometheus sets", async () => {
    for (const { name, type, series } of (await scrape(await startKnown())).values()) {
      expect(name).toMatch(/^(nexusd|process|nodejs)_[a-z0-9_]+$/);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|mib|percent)\b/);
      for (const { labels } of series)
        for (const label of ["job", "instance"]) expect(Object.keys(labels), name).not.toContain(label);
    }
  });

  test("each rule of docs/alerts.yml uses existing metrics, and says what is wrong and what to do", async () => {
    const families = await scrape(await startKnown());
    const { groups } = parseYaml(readFileSync("docs/alerts.yml", "utf8"), { strict: true });
    const rules = groups.flatMap((group: { rules: unknown[] }) => group.rules);
    expect(new Set(rules.map(({ alert }: { alert: string }) => alert)).size).toBe(rules.length);
    const used = new Set<string>();
    const helps = new Map<string, string>();
    for (const rule of rules) {
      const { alert, expr, labels, annotations } = rule;
      expect(alert).toMatch(/^Nexusd[A-Z]\w+$/);
      expect(Object.keys(rule).filter((key) => key !== "for")).toEqual([
        "alert",
        "expr",
        "labels",
        "annotations",
      ]);
      expect(labels.severity, alert).toMatch(/^(warning|critical)$/);
      expect(annotations.summary.length, alert).toBeGreaterThan(15);
      expect(annotations.description.length, alert).toBeGreaterThan(80);
      const names = [...expr.replace(/"[^"]*"/g, '""').matchAll(/\b((?:nexusd|process|nodejs)_\w+|up)\b/g)];
      expect(names, alert).not.toEqual([]);
      for (const [name] of names) {
        if (name === "up") continue;
        used.add(name);
        const family = families.get(name);
        expect(family, `${alert}: ${name}`).toBeDefined();
        // Its label values must exist: an unknown one would never match.
        const selected = expr.matchAll(new RegExp(`${name}\\{(\\w+)=~?"([^"]+)"\\}`, "g"));
        for (const [, label, values] of selected)
          for (const value of label === "job" ? [] : values.split("|"))
            expect(
              family?.series.some((one) => one.labels[label] === value),
              `${alert}: ${value}`,
            ).toBe(true);
      }
      for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) {
        const [first] = names;
        expect(families.get(first[1])?.series[0]?.labels, alert).toHaveProperty(label);
      }
      for (const [, command = "", verb] of annotations.description.matchAll(
        /"nexusctl (\w+)(?: ([a-z]+))?/g,
      )) {
        const stdout = helps.get(command) ?? (await runCli([command, "--help"])).stdout;
        helps.set(command, stdout);
        expect(stdout, alert).toContain(`Usage: nexusctl ${command} `);
        if (verb) expect(stdout, `${alert}: ${command} ${verb}`).toMatch(new RegExp(`^  ${verb}\\b`, "m"));
      }
    }
    expect(used.size).toBeGreaterThan(12);
  });
});
