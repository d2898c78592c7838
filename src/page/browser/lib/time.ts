// Times in words.

const UNITS: readonly [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
];

/** "3 d 4 h", "12 min", "9 s": at most two units, rounded down. */
export function duration(ms: number): string {
  const rest = Math.max(0, ms);
  const at = UNITS.findIndex(([size]) => rest >= size);
  const [size, name] = UNITS[at] ?? [1000, "s"];
  const whole = Math.floor(rest / size);
  const [small, smallName] = (at >= 0 && UNITS[at + 1]) || [1000, "s"];
  const more = at < 0 || whole > 9 ? 0 : Math.floor((rest - whole * size) / small);
  return more > 0 ? `${whole} ${name} ${more} ${smallName}` : `${whole} ${name}`;
}

/** "4 min ago"; "" without a time. */
export const ago = (at: string | null | undefined, now: number): string => {
  if (!at) return "";
  const ms = now - Date.parse(at);
  return ms < 1000 ? "just now" : `${duration(ms)} ago`;
};

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** The local time, with its day unless that is today. */
export function clockTime(at: string, now: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const time = TIME.format(date);
  return date.toDateString() === new Date(now).toDateString() ? time : `${DAY.format(date)}, ${time}`;
}
