// What is shared by everybody on one socket: so much of something at once, given back when an answer is complete.

import type { ServerResponse } from "node:http";
import { Problem } from "./problem.ts";

export interface Share {
  /** Until the answer is complete or its connection gone. @throws Problem where there is not so much left */
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

/** Of a request whose sender does not wait for the answer any more: nobody reads it. */
export const hungUp = () => new Problem("request_timeout", "The connection ended before its turn came.");
