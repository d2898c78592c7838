// A quantity shared by all clients of one socket: each request takes some of it until its answer is complete.

import type { ServerResponse } from "node:http";
import { Problem } from "./problem.ts";

export interface Share {
  /** Held until the answer is complete or its connection closed. @throws Problem if not enough is left */
  take(response: ServerResponse, amount?: number): void;
  used(): number;
}

/** @param refusal in words: what `most` stands for, and what to do */
export function createShare(options: { most: () => number; refusal: (most: number) => Problem }): Share {
  let used = 0;
  return {
    take(response, amount = 1) {
      if (response.destroyed) throw hungUp();
      const most = options.most();
      if (used + amount > most) throw options.refusal(most);
      used += amount;
      response.once("close", () => {
        used -= amount;
      });
    },
    used: () => used,
  };
}

/** For a request whose sender no longer waits for the answer. */
export const hungUp = () => new Problem("request_timeout", "The connection ended before its turn came.");
