// Text that begins with a dash, such as "- item" or "-3 degrees outside", which commander takes for an option.

import type { Command } from "commander";

/** Whether it cannot be an option: those have a letter after their dashes, and no blank before their `=`. */
const isText = (word: string): boolean =>
  /^-./s.test(word) && word !== "--" && (!/^--?[A-Za-z]/.test(word) || /^[^=]*\s/.test(word));

/** Accepts such words as operands of the command and of all below it. Options are still found anywhere. */
export function takeText(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (argv) => {
    const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
    const texts = new Map<string, string>();
    const words = argv.map((word, at) => {
      // The value of an option may be anything.
      const isValue = command.options.some(
        ({ required, optional, short, long }) =>
          (required || optional) && [short, long].includes(argv[at - 1]),
      );
      if (at > end || isValue || !isText(word)) return word;
      // An argument of a process never contains a NUL.
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
