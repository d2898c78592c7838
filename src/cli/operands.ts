// What begins with a dash and is text all the same: "- item", "-3 degrees outside". commander takes it for an option.

import type { Command } from "commander";

/** Whether it can be no option: these have a letter behind their dashes, and no blank before their `=`. */
const isText = (word: string): boolean =>
  /^-./s.test(word) && word !== "--" && (!/^--?[A-Za-z]/.test(word) || /^[^=]*\s/.test(word));

/** Lets such words be operands of the command and of all below it. Options are still found, in any place. */
export function takeText(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (argv) => {
    const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
    const texts = new Map<string, string>();
    const words = argv.map((word, at) => {
      // What an option is given is its own affair.
      const isValue = command.options.some(
        ({ required, optional, short, long }) =>
          (required || optional) && [short, long].includes(argv[at - 1]),
      );
      if (at > end || isValue || !isText(word)) return word;
      // No argument of a process has a NUL in it.
      const stand = `\0${at}`;
      texts.set(stand, word);
      return stand;
    });
    const { operands, unknown } = parse(words);
    const back = (word: string) => texts.get(word) ?? word;
    return { operands: operands.map(back), unknown: unknown.map(back) };
  };
  for (const one of command.commands) takeText(one);
}
