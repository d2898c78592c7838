// The states of the insight stream and the transitions between them; pure, so that each path can be tested.

/**
 * - `connecting`: since the start, no attempt has ended yet
 * - `live`: a stream is open, and readable data has arrived
 * - `recovering`: lost a moment ago, trying again
 * - `polling`: lost for longer; REST instead, while trying again
 * - `refused`: Nex refuses the key, for the stream and for REST; trying again slowly
 */
export type StreamStateName = "connecting" | "live" | "recovering" | "polling" | "refused";

export interface StreamState {
  state: StreamStateName;
  /** Streams in a row that failed before they were healthy. */
  failures: number;
  /** When the present outage began, monotonic milliseconds. */
  lostAt: number | undefined;
  /** The last entry in the log: the code of the last loss, or that it is open; undefined: nothing yet. */
  told: { kind: "opened"; at: number } | { kind: "lost"; code: string; fallback: boolean } | undefined;
}

export type StreamInput =
  | { kind: "opened" }
  /** It has been open for 30 s. */
  | { kind: "healthy" }
  | { kind: "lost"; failures: number; retryInMs: number; code: string; isRefusal: boolean }
  /** Time has passed. */
  | { kind: "tick" };

/** What to report to the log. */
export type Announcement = "opened" | "lost" | "fallback";

export const INITIAL: StreamState = { state: "connecting", failures: 0, lostAt: undefined, told: undefined };

/** This many failures in a row are not a single mishap. */
export const FLAPPING = 2;
const FALLBACK_AFTER_FAILURES = 3;
/** Neither an outage nor the wait for the next attempt may last longer without a poll. */
const FALLBACK_AFTER_MS = 60_000;
/** A stream that is lost sooner after it was reported was not back yet: it must not flood the log. */
const SETTLED_AFTER_MS = 60_000;

/** @param at monotonic milliseconds */
export function step(
  before: StreamState,
  input: StreamInput,
  at: number,
): { after: StreamState; announce: Announcement[] } {
  switch (input.kind) {
    case "opened": {
      // If it is lost again and again, it is reported as open only once it has lasted.
      const isNews = before.told?.kind !== "opened" && before.failures < FLAPPING;
      const told = isNews ? ({ kind: "opened", at } as const) : before.told;
      return {
        after: { ...before, state: "live", lostAt: undefined, told },
        announce: isNews ? ["opened"] : [],
      };
    }
    case "healthy": {
      const isNews = before.state === "live" && before.told?.kind !== "opened";
      const told = isNews ? ({ kind: "opened", at } as const) : before.told;
      return { after: { ...before, failures: 0, told }, announce: isNews ? ["opened"] : [] };
    }
    case "lost": {
      const lostAt = before.lostAt ?? at;
      const isLong =
        input.failures >= FALLBACK_AFTER_FAILURES ||
        input.retryInMs > FALLBACK_AFTER_MS ||
        at - lostAt > FALLBACK_AFTER_MS;
      const state = input.isRefusal ? "refused" : isLong ? "polling" : "recovering";
      return announced({ ...before, state, failures: input.failures, lostAt }, at, input.code);
    }
    case "tick": {
      const isLong = before.lostAt !== undefined && at - before.lostAt > FALLBACK_AFTER_MS;
      if (before.state !== "recovering" || !isLong) return { after: before, announce: [] };
      return announced({ ...before, state: "polling" }, at, codeOf(before));
    }
    default:
      return input satisfies never;
  }
}

/** A loss, with the announcements that are new to the log. */
function announced(state: StreamState, at: number, code: string) {
  const announce: Announcement[] = [];
  const told = state.told;
  const isShort = told?.kind === "opened" && at - told.at < SETTLED_AFTER_MS && state.state === "recovering";
  if (isShort) return { after: state, announce };
  const isTold = told?.kind === "lost" && (told.code === code || state.state !== "refused");
  if (!isTold) announce.push("lost");
  const wasFallback = told?.kind === "lost" && told.fallback;
  const isFallback = state.state === "polling";
  if (isFallback && !wasFallback) announce.push("fallback");
  const now = { kind: "lost", code: isTold ? told.code : code, fallback: wasFallback || isFallback } as const;
  return { after: { ...state, told: now }, announce };
}

const codeOf = ({ told }: StreamState) => (told?.kind === "lost" ? told.code : "stream_lost");
