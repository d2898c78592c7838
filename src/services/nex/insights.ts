// What an insight is, in every public shape, and how two deliveries of one are recognised as the same.

import { createHash } from "node:crypto";
import type { Dedupe } from "../../contract/new-event.ts";
import { instantOf } from "../../core/instant.ts";
import { isObject } from "../../core/is-object.ts";

export interface InsightBatch {
  /** Each as the service gave it. */
  insights: Record<string, unknown>[];
  workspace: unknown;
  /** Of the text that it was read from, in UTF-16 units or bytes; left out: unknown. */
  size?: number;
}

/**
 * Reads a payload of the stream or of REST: `{insights: []}`, `{data: []}`, a bare array, or a single insight.
 * @returns undefined if it is none of these
 */
export function readInsights(payload: unknown): InsightBatch | undefined {
  if (Array.isArray(payload)) return { insights: payload.filter(isObject), workspace: null };
  if (!isObject(payload)) return undefined;
  const workspace = payload.workspace ?? payload.workspace_id ?? null;
  for (const key of ["insights", "data"]) {
    const list = payload[key];
    if (Array.isArray(list)) return { insights: list.filter(isObject), workspace };
    if (isObject(list)) return { insights: [list], workspace };
  }
  if (isObject(payload.insight)) return { insights: [payload.insight], workspace };
  if (typeof payload.content === "string") return { insights: [payload], workspace };
  // An empty batch may leave the array out.
  return "workspace" in payload || "insight_count" in payload ? { insights: [], workspace } : undefined;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint"
    ? String(value)
    : undefined;

const instant = (value: unknown): string | undefined => {
  const time = text(value);
  if (time === undefined) return undefined;
  const ms = instantOf(time);
  return Number.isNaN(ms) ? time : String(ms);
};

/** Milliseconds since the epoch, or undefined if the insight does not say. */
export function createdAt(insight: unknown): number | undefined {
  const ms = instantOf((isObject(insight) && text(insight.created_at)) || "");
  return Number.isNaN(ms) ? undefined : ms;
}

const hash = (parts: readonly string[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22);

/**
 * The deduplication keys that make one event of one insight, whatever mixture of replay, live and REST delivered it.
 *
 * Two deliveries are the same if their ids are; if one has no id, if type and content are, and neither the time of
 * creation nor the target contradicts: replay leaves these out, and one of the two public shapes has no target at all.
 * So each delivery records itself once under what it has and once under "whatever it is", and looks for what agrees
 * with it. Confidence, evidence and the batch's fields vary between deliveries, so they are left out.
 */
export function insightDedupe(insight: Record<string, unknown>): Dedupe {
  const id = text(insight.id);
  const target = isObject(insight.target) ? insight.target : undefined;
  const base = [text(insight.type) ?? "", (text(insight.content) ?? "").normalize("NFC").trim()];
  const optional = [
    instant(insight.created_at),
    target && JSON.stringify([text(target.entity_type) ?? "", text(target.hint) ?? ""]),
  ];
  const recordAs = optional.map((value) => (value === undefined ? ["absent"] : [`is ${value}`, "any"]));
  const matchAs = optional.map((value) =>
    value === undefined ? ["absent", "any"] : [`is ${value}`, "absent"],
  );
  const keys = (owners: string[], ways: string[][]) =>
    owners.flatMap((owner) =>
      (ways[0] ?? []).flatMap((time) => (ways[1] ?? []).map((goal) => hash([owner, ...base, time, goal]))),
    );

  const own = id === undefined ? "without id" : "with id";
  // Two with ids are compared by id alone: the same text twice is then two insights.
  const others = id === undefined ? ["without id", "with id"] : ["without id"];
  const identity = id === undefined ? [] : [`id:${id}`];
  return {
    scope: "nex.insights",
    match: [...identity, ...keys(others, matchAs)],
    record: [...identity, ...keys([own], recordAs)],
  };
}
