/** The sandbox's clock: real time plus an offset, so that a test can skip an hour. */

export interface SandboxClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Moves the clock forward. Running timers (keepalives, stalls) are not affected. */
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
