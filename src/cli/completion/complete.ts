// nexusctl __complete: what can come next on a command line. The shells' scripts know nothing themselves.

import { clientOver } from "../../client/client.ts";
import { createTransport } from "../../client/transport.ts";
import { systemClock } from "../../core/clock.ts";
import { visible } from "../../core/text/visible.ts";
import { treeOf } from "../command-tree.ts";
import { chooseSockets } from "../sockets.ts";
import type { Io } from "../terminal/output.ts";
import { namesOf } from "./names.ts";
import { type Place, placesOf, type Source } from "./places.ts";

type Candidate = readonly [word: string, description: string];

/** How long completion waits for names from the daemon. */
const TIMEOUT_MS = 1000;
/** Names come from services, too, and go into a shell: one with any other character is not offered. */
const SAFE = /^[A-Za-z0-9_.][\w.@+-]*$/;

/**
 * Prints the kind of what comes next (`words`, `file` or `directory`), and each word with a tab and its description.
 * @param words those after `nexusctl`, the last one being what has been typed so far
 */
export async function complete(words: readonly string[], io: Io): Promise<void> {
  // Loaded only here: it loads every command.
  const { wholeProgram } = await import("../commands.ts");
  const { source, current, daemon } = next(placesOf(treeOf(await wholeProgram())), words);
  if (source.kind === "file" || source.kind === "directory") io.stdout.write(`${source.kind}\n`);
  if (source.kind !== "words" && source.kind !== "names") return;
  const all = source.kind === "words" ? source.words : await fromDaemon(source.of, daemon, io);
  const fitting = all.filter(([word]) => word.startsWith(current));
  io.stdout.write(`${["words", ...fitting.map(([word, what]) => `${word}\t${what}`)].join("\n")}\n`);
}

interface Next {
  source: Exclude<Source, { kind: "words" }> | { kind: "words"; words: Candidate[] };
  /** What has been typed of it. */
  current: string;
  /** The options that select the daemon. */
  daemon: { socket?: string; config?: string };
}

/** Walks over the words. bash splits "--option=value" into three of them, other shells pass one. */
function next(places: readonly Place[], words: readonly string[]): Next {
  const byPath = new Map(places.map((place) => [place.path, place]));
  const daemon: Next["daemon"] = {};
  let place = byPath.get("");
  let number = 1;
  let option = "";
  const sourceOf = (name: string) => place?.options.find((one) => one.name === name)?.value;
  const take = (name: string, value: string) => {
    if (name === "--socket") daemon.socket = value;
    if (name === "--config") daemon.config = value;
  };
  for (const word of words.slice(0, -1)) {
    const [, name = "", value = ""] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    if (word === "=") continue;
    if (option !== "" && !isOption(word)) take(option, word);
    else if (name !== "") take(name, value);
    else if (isOption(word) && sourceOf(word)) {
      option = word;
      continue;
    } else if (!isOption(word) && place?.commands.some((one) => one.name === word)) {
      place = byPath.get([place.path, word].filter(Boolean).join(" "));
      number = 1;
    } else if (!isOption(word)) number += 1;
    option = "";
  }

  const last = words.at(-1) ?? "";
  const [, joined, typed = ""] = /^(--[^=]+)=(.*)$/s.exec(last) ?? [];
  const current = last === "=" ? "" : joined === undefined ? last : typed;
  const listed = (list: readonly { name: string; description: string }[]): Next["source"] => ({
    kind: "words",
    words: list.map(({ name, description }) => [name, description]),
  });
  const given = (source: Source = { kind: "free" }): Next["source"] =>
    source.kind === "words" ? { kind: "words", words: source.words.map((word) => [word, ""]) } : source;
  const source = () => {
    if (joined !== undefined) return given(sourceOf(joined));
    if (option !== "" && !isOption(current)) return given(sourceOf(option));
    if (current.startsWith("-")) return listed(place?.options ?? []);
    if (number === 1 && place && place.commands.length > 0) return listed(place.commands);
    return given(place?.arguments[number - 1]);
  };
  return { source: source(), current, daemon };
}

const isOption = (word: string) => /^-./s.test(word);

async function fromDaemon(
  kind: Parameters<typeof namesOf>[0],
  daemon: Next["daemon"],
  io: Io,
): Promise<Candidate[]> {
  const transport = createTransport(
    chooseSockets(daemon, io.env, () => {}),
    { keepAlive: false },
  );
  const client = clientOver(transport, { clock: systemClock, random: Math.random });
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const names = await namesOf(kind, client, { signal });
    return names.flatMap(([name, what]): Candidate[] =>
      name && SAFE.test(name) ? [[name, visible(what)]] : [],
    );
  } catch {
    return []; // A completion that fails offers nothing; the command itself will report the error.
  }
}
