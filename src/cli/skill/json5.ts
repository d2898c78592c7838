// JSON and JSON5 with positions: enough to change one member and leave every other character alone.

export interface Member {
  key: string;
  value: Value;
}

export type Value = { start: number; end: number } & (
  | { kind: "object"; members: Member[] }
  | { kind: "array"; items: Value[] }
  | { kind: "scalar"; value: unknown }
);

/** @throws SyntaxError with the line if the text is not JSON5 */
export function scan(text: string): Value {
  const scanner = new Scanner(text);
  scanner.blank();
  const value = scanner.value(0);
  scanner.blank();
  if (scanner.at < text.length) scanner.fail();
  return value;
}

/** The value as plain JavaScript. */
export function plainOf(value: Value): unknown {
  if (value.kind === "scalar") return value.value;
  if (value.kind === "array") return value.items.map(plainOf);
  return Object.fromEntries(value.members.map(({ key, value: inner }) => [key, plainOf(inner)]));
}

const BLANK = /(?:[\s\ufeff]|\/\/[^\n\r\u2028\u2029]*|\/\*[\s\S]*?\*\/)*/y;
const NAME = /[\p{L}_$][\p{L}\p{N}_$\u200c\u200d]*/uy;
const NUMBER = /[+-]?(?:0[xX][\da-fA-F]+|Infinity|NaN|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y;
const TEXT = /"(?:[^"\\\n\r]|\\[\s\S])*"|'(?:[^'\\\n\r]|\\[\s\S])*'/y;
const WORDS: Record<string, unknown> = { true: true, false: false, null: null };
const DEEPEST = 200;

class Scanner {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  blank(): void {
    this.take(BLANK);
  }

  value(depth: number): Value {
    if (depth > DEEPEST) this.fail();
    const start = this.at;
    const next = this.text[start];
    if (next === "{") return { kind: "object", members: this.members(depth), start, end: this.at };
    if (next === "[") return { kind: "array", items: this.items(depth), start, end: this.at };
    const value = this.scalar();
    return { kind: "scalar", value, start, end: this.at };
  }

  fail(): never {
    const line = this.text.slice(0, this.at).split("\n").length;
    throw new SyntaxError(`line ${line} is not JSON`);
  }

  private members(depth: number): Member[] {
    const members: Member[] = [];
    this.list("}", () => {
      const key = this.key();
      this.blank();
      if (this.text[this.at] !== ":") this.fail();
      this.at++;
      this.blank();
      members.push({ key, value: this.value(depth + 1) });
    });
    return members;
  }

  private items(depth: number): Value[] {
    const items: Value[] = [];
    this.list("]", () => void items.push(this.value(depth + 1)));
    return items;
  }

  private list(end: string, one: () => void): void {
    this.at++;
    for (this.blank(); this.text[this.at] !== end; this.blank()) {
      one();
      this.blank();
      if (this.text[this.at] === ",") this.at++;
      else if (this.text[this.at] !== end) this.fail();
    }
    this.at++;
  }

  private key(): string {
    const quoted = this.take(TEXT);
    return quoted === "" ? this.take(NAME) || this.fail() : unquoted(quoted);
  }

  private scalar(): unknown {
    const quoted = this.take(TEXT);
    if (quoted !== "") return unquoted(quoted);
    const number = this.take(NUMBER);
    if (number !== "") return Number(number.replace("+", ""));
    const word = this.take(NAME);
    return Object.hasOwn(WORDS, word) ? WORDS[word] : this.fail();
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found = ""] = pattern.exec(this.text) ?? [];
    this.at += found.length;
    return found;
  }
}

const ESCAPES: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "0": "\0" };

/** The string value of a quoted literal. */
const unquoted = (quoted: string): string =>
  quoted
    .slice(1, -1)
    .replace(/\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|[\s\S]))/g, (_, unicode, byte, one) =>
      one === undefined
        ? String.fromCharCode(Number.parseInt(unicode ?? byte, 16))
        : /^[\r\n\u2028\u2029]/.test(one)
          ? ""
          : (ESCAPES[one] ?? one),
    );
