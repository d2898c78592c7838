// The one-use link, and the credentials that its user sends with each request.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Refusal } from "./answer.ts";
import { TAB_HEADER } from "./names.ts";

export interface Session {
  /** The fragment of the link. */
  readonly key: string;
  /** @returns the cookie to set and the value of the header, only the first time */
  open(key: string): { cookie: string; tab: string } | Refusal;
  /** @param withTab whether the header is required, too: a browser loads the files of the page without it */
  holds(request: IncomingMessage, withTab: boolean): boolean;
}

/** @param port cookies ignore ports, so each process has its own cookie name */
export function createSession(port: number): Session {
  const name = `nexusd_page_${port}`;
  const [key, secret, tab] = [newKey(), newKey(), newKey()];
  let isUsed = false;
  return {
    key,
    open(shown) {
      if (!isSame(shown, key))
        return {
          code: "link_unknown",
          detail: "This link is of a page that has ended. Use the one that nexusctl page printed last.",
        };
      if (isUsed)
        return {
          code: "link_used",
          detail:
            "This link was used before, and works once. For another browser start nexusctl page again. If it was not you who used it, end that nexusctl page now (Ctrl-C).",
        };
      isUsed = true;
      return { cookie: `${name}=${secret}; Path=/; HttpOnly; SameSite=Strict`, tab };
    },
    holds({ headersDistinct: headers }, withTab) {
      const cookies = (headers.cookie ?? []).flatMap((line) => line.split(";")).map((one) => one.trim());
      const hasCookie = cookies.some((one) => isSame(one, `${name}=${secret}`));
      return hasCookie && (!withTab || isSame(headers[TAB_HEADER]?.join() ?? "", tab));
    },
  };
}

const newKey = () => randomBytes(32).toString("base64url");
const digest = (text: string) => createHash("sha256").update(text).digest();
/** In constant time. */
const isSame = (shown: string, wanted: string) => timingSafeEqual(digest(shown), digest(wanted));
