// A service's answer, for a person at a terminal: a table if rows fit, else one fact per line. Nothing is left out.

import { stringifyJson } from "../../core/exact-json.ts";
import { pad, visible, width } from "../../core/text/visible.ts";
import { wrapped } from "../writes/preview-view.ts";

type Row = Record<string, unknown>;

/** Deeper values are shown as JSON. */
const DEEPEST = 3;

/** Lines of at most `columns`, invisible characters shown. @param value parsed JSON, integers above 2^53 as bigint */
export function readable(value: unknown, columns: number, depth = 1): string[] {
  if (Array.isArray(value)) return value.length === 0 ? ["none"] : listed(value, columns);
  if (!isRow(value)) return wrapped(textOf(value), columns);
  const isSection = (field: unknown) => depth < DEEPEST && (isTable(field) || isFilled(field));
  const entries = Object.entries(value);
  const facts = entries.filter(([, field]) => !isSection(field));
  const sections = entries.filter(([, field]) => isSection(field));
  const only = sections.length === 1 && facts.length === 0;
  return [
    ...factLines(facts, columns),
    ...sections.flatMap(([name, field], index) => [
      ...(facts.length > 0 || index > 0 ? [""] : []),
      ...(only ? [] : wrapped(`${visible(name)}:`, columns)),
      ...readable(field, columns, depth + 1),
    ]),
  ];
}

const isRow = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isFilled = (value: unknown): value is Row => isRow(value) && Object.keys(value).length > 0;
const isTable = (value: unknown): value is Row[] =>
  Array.isArray(value) && value.length > 0 && value.every(isRow);

function listed(values: unknown[], columns: number): string[] {
  if (!values.every(isRow)) return values.flatMap((value) => wrapped(`- ${textOf(value)}`, columns));
  const names = [...new Set(values.flatMap((row) => Object.keys(row)))];
  const cells = [
    names.map((name) => visible(name.toUpperCase())),
    ...values.map((row) => names.map((name) => visible(textOf(row[name])))),
  ];
  const widths = names.map((_, at) => cells.reduce((most, row) => Math.max(most, width(row[at] ?? "")), 0));
  const isNarrow = widths.reduce((sum, one) => sum + one + 2, -2) <= columns;
  if (isNarrow)
    return cells.map((row) =>
      row
        .map((cell, at) => pad(cell, widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  return values.flatMap((row, at) => [...(at > 0 ? [""] : []), ...factLines(Object.entries(row), columns)]);
}

/** Names up to this width are aligned. */
const LONGEST_NAME = 24;

function factLines(facts: [name: string, value: unknown][], columns: number): string[] {
  const names = facts.map(([name]) => visible(name));
  const aligned = Math.min(LONGEST_NAME, Math.max(0, ...names.map(width)));
  return facts.flatMap(([, value], at) =>
    wrapped(`${pad(names[at] ?? "", aligned)}  ${textOf(value)}`, columns),
  );
}

/** A line break in external text is shown as a visible character, never as a new line. */
function textOf(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return typeof value === "string" ? visible(value) : stringifyJson(value);
}
