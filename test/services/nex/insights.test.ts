import { describe, expect, it } from "vitest";
import { insightDedupe, readInsights } from "../../../src/services/nex/insights.ts";
import fc from "../../support/fc.ts";

type Insight = Record<string, unknown>;

/** A log that stores what its keys do not recognise, as the store does. */
function deliver(deliveries: Insight[]): Insight[] {
  const seen = new Set<string>();
  return deliveries.filter((insight) => {
    const { match, record } = insightDedupe(insight);
    const isKnown = match.some((key) => seen.has(key));
    for (const key of record) seen.add(key);
    return !isKnown;
  });
}

const whole: Insight = {
  type: "risk",
  content: "Contract at Acme ends in March",
  confidence: 0.8,
  created_at: "2026-11-20T10:00:00Z",
  target: { entity_type: "company", hint: "Acme" },
  evidence: [{ excerpt: "…" }],
};
const { confidence: _c, evidence: _e, created_at: _t, ...simplified } = whole;
const restShape: Insight = {
  id: "ki:7",
  workspace_id: "w",
  type: whole.type,
  content: whole.content,
  entities: [],
  created_at: "2026-11-20T10:00:00.000Z",
};

describe("one event per insight", () => {
  it.each([
    ["live, then replay without its time", [whole, simplified]],
    ["replay without its time, then live", [simplified, whole]],
    ["live, then REST in the shape with an id and no target", [whole, restShape]],
    ["REST, then live", [restShape, whole]],
    ["REST, replay, live, REST", [restShape, simplified, whole, restShape]],
    ["confidence and evidence that changed", [whole, { ...whole, confidence: 0.9, evidence: [] }]],
    ["the same instant written otherwise", [whole, { ...whole, created_at: "2026-11-20T11:00:00+01:00" }]],
  ])("%s", (_name, deliveries) => {
    expect(deliver(deliveries)).toEqual([deliveries[0]]);
  });

  it.each([
    ["another text", [whole, { ...whole, content: "Another" }]],
    ["another target", [whole, { ...whole, target: { entity_type: "company", hint: "Globex" } }]],
    ["the same text at another time", [whole, { ...whole, created_at: "2026-11-21T10:00:00Z" }]],
    ["the same text under two ids", [restShape, { ...restShape, id: "ki:8" }]],
    [
      "ids above 2^53 that differ in the last digit",
      [
        { ...restShape, id: 48066188026052611n },
        { ...restShape, id: 48066188026052612n },
      ],
    ],
  ])("two events: %s", (_name, deliveries) => {
    expect(deliver(deliveries)).toEqual(deliveries);
  });

  it("any mixture of full, simplified and REST deliveries of distinct insights yields each once", () => {
    const views = fc.constantFrom("live", "replay", "rest");
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(6), views), { maxLength: 40 }), (plan) => {
        const deliveries = plan.map(([n, view]): Insight => {
          const content = `fact ${n}`;
          const target = { entity_type: "person", hint: `who ${n}` };
          const created_at = new Date(Date.UTC(2026, 10, 20, 0, n)).toISOString();
          if (view === "replay") return { type: "goal", content, target };
          if (view === "live") return { type: "goal", content, target, created_at, confidence: 0.5 };
          return { id: `ki:${n}`, type: "goal", content, created_at, entities: [] };
        });
        const contents = deliver(deliveries).map(({ content }) => content);
        expect(contents).toEqual([...new Set(deliveries.map(({ content }) => content))]);
      }),
    );
  });
});

describe("payload shapes", () => {
  it.each([
    ["insights", { workspace: { slug: "w" }, insights: [whole] }, { slug: "w" }],
    ["data", { data: [whole] }, null],
    ["a bare array", [whole], null],
    ["a single insight", whole, null],
    ["one wrapped insight", { workspace: { slug: "w" }, insights: whole }, { slug: "w" }],
  ])("%s", (_name, payload, workspace) => {
    expect(readInsights(payload)).toEqual({ insights: [whole], workspace });
  });

  it("an empty batch without its array is empty, and anything else is not an insight", () => {
    expect(readInsights({ workspace: {}, insight_count: 0 })).toEqual({ insights: [], workspace: {} });
    for (const payload of [null, 7, "x", {}, { error: "x" }]) expect(readInsights(payload)).toBeUndefined();
  });
});
