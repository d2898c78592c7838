// What time it is on this page: everything that counts up or down reads it.

import { signal } from "@preact/signals";

/** Milliseconds since 1970; moves once a second. */
export const now = signal(Date.now());

export const startClock = (): void => {
  setInterval(() => {
    now.value = Date.now();
  }, 1000);
};
