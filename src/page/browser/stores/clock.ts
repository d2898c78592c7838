// The current time on this page, for everything that counts up or down.

import { signal } from "@preact/signals";

/** Milliseconds since 1970; updated once a second. */
export const now = signal(Date.now());

export const startClock = (): void => {
  setInterval(() => {
    now.value = Date.now();
  }, 1000);
};
