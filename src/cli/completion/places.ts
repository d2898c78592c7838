// What can come where on a command line of nexusctl, for completion: derived from the commands themselves.

import { WRITE_STATES } from "../../contract/writes.ts";
import type { ArgumentNode, CommandNode, OptionNode, Value } from "../command-tree.ts";
import type { NameKind } from "./names.ts";

/** Where a word comes from. `free`: only the person knows. */
export type Source =
  | { kind: "words"; words: readonly string[] }
  | { kind: "names"; of: NameKind }
  | { kind: "file" | "directory" | "free" };

export interface Place {
  /** The commands that lead here, separated by blanks; empty for nexusctl itself. */
  path: string;
  commands: { name: string; description: string }[];
  options: { name: string; description: string; value: Source | undefined }[];
  /** In order. */
  arguments: Source[];
}

/** Every place of a program, itself first. */
export function placesOf(root: CommandNode): Place[] {
  const global = root.options.filter(({ names }) => !names.includes("--version"));
  const visit = (node: CommandNode): Place[] => [place(node, root, global), ...node.commands.flatMap(visit)];
  return visit(root);
}

function place(node: CommandNode, root: CommandNode, global: OptionNode[]): Place {
  const path = node.path.join(" ");
  // If no command is named, the options and arguments of the default one may follow directly.
  const meant = node.commands.find((one) => one.path.at(-1) === node.defaultCommand);
  const all = [...node.options, ...(meant?.options ?? []), ...global];
  const taking = meant ?? node;
  const optionsByName = new Map(
    all.flatMap(({ names, description, value }) =>
      names.map((name) => [name, { name, description, value: value && sourceOf(value, taking) }]),
    ),
  );
  return {
    path,
    commands: node.commands.map((one) => ({ name: one.path.at(-1) ?? "", description: one.description })),
    options: [...optionsByName.values()],
    arguments: taking.arguments.map((one) =>
      path === "help"
        ? { kind: "words", words: root.commands.map(({ path: [name = ""] }) => name) }
        : sourceOf(one, taking),
    ),
  };
}

const FREE: Source = { kind: "free" };

/** By the name of a value in the help, after the command if it means different things. The first match counts. */
const SOURCES: readonly (readonly [RegExp, Source])[] = [
  [/ (?:file|path)$/, { kind: "file" }],
  [/ directory$/, { kind: "directory" }],
  [/^writes list state$/, { kind: "words", words: WRITE_STATES }],
  [/^read operation$/, { kind: "names", of: "reads" }],
  [/^write operation$/, { kind: "names", of: "writes" }],
  [/^operations show name$/, { kind: "names", of: "operations" }],
  [/^jobs \w+ name$/, { kind: "names", of: "jobs" }],
  [/^sinks \w+ name$/, { kind: "names", of: "sinks" }],
  [/^consumers create name$/, FREE],
  [/^wait consumer$/, { kind: "names", of: "consumers" }],
  [/^consumers \w+ name$/, { kind: "names", of: "consumers" }],
  [/^messaging join session$/, FREE],
  [/^messaging [\w-]+ session$/, { kind: "names", of: "sessions" }],
  [/^messaging unalias alias$/, { kind: "names", of: "sessions" }],
  [/^writes (?:approve|reject|cancel) id$/, { kind: "names", of: "proposed" }],
  [/^writes resolve id$/, { kind: "names", of: "unknown" }],
];

function sourceOf(value: Value | ArgumentNode, { path }: CommandNode): Source {
  if (value.choices) return { kind: "words", words: value.choices };
  const name = `${path.join(" ")} ${value.name}`;
  return SOURCES.find(([pattern]) => pattern.test(name))?.[1] ?? FREE;
}
