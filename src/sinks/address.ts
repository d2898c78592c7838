// Where a sink sends to: a URL of the configuration, and the requests that are made of it.

import { z } from "zod";
import { isLoopback } from "../core/settings.ts";

/** A URL, https unless its host is this machine, as it is sent to. */
export const targetUrl = z.string({ error: "must be a URL in quotes" }).transform((text, context) => {
  const url = URL.parse(text);
  const fail = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    return fail('must be a URL such as "https://example.org/hooks"');
  if (url.username || url.password) return fail("must not hold a user or a password");
  if (url.hash) return fail("must not have a fragment (#): no server is sent one");
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return fail(`must be https, because "${url.hostname}" is not this machine`);
  return url.href;
});

/** The two parts of it that a request is made of. */
export function partsOf(href: string): { origin: string; path: string } {
  const { origin, pathname, search } = new URL(href);
  return { origin, path: pathname + search };
}
