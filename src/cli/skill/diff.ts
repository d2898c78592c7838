// The diff of a text for a person: removed and added lines, with three lines of context.

const AROUND = 3;

/** @param before undefined: the file does not exist yet */
export function diff(path: string, before: string | undefined, after: string): string[] {
  const old = before === undefined ? [] : lines(before);
  const now = lines(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  )
    tail++;
  const from = Math.max(0, head - AROUND);
  return [
    `--- ${before === undefined ? "(new)" : path}`,
    `+++ ${path}`,
    `@@ line ${from + 1} @@`,
    ...old.slice(from, head).map((line) => ` ${line}`),
    ...old.slice(head, old.length - tail).map((line) => `-${line}`),
    ...now.slice(head, now.length - tail).map((line) => `+${line}`),
    ...now.slice(now.length - tail, now.length - tail + Math.min(tail, AROUND)).map((line) => ` ${line}`),
  ];
}

const lines = (text: string): string[] => text.replace(/\r?\n$/, "").split(/\r?\n/);
