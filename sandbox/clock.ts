/** The sandbox's clock: real time plus an offset, so that a test can live through an hour at once. */

export interface SandboxClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Moves the clock forward. Timers that already run (keepalives, stalls) are not moved. */
  advance(ms: number): void;
}

export function systemClock(): SandboxClock {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    advance(ms) {
      offsetMs += ms;
    },
  };
}
