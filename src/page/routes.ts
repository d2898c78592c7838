// The part of the control API that the page may use. Everything else stays on the socket.

const NAME = "[\\w.~-]+";
/** A path segment with any text, encoded as browsers do it. */
const TEXT = "(?:[\\w.~!*'()-]|%[0-9A-F]{2})+";

const READS = [
  "health|status|operations|events|events/stream|jobs|sinks|nodes|consumers|history|writes",
  `writes/${NAME}(?:/statement|/review)?`,
  "messaging/sessions",
  `messaging/sessions/${TEXT}/messages`,
  "nex/insights",
  "nexus/stock/low|nexus/orders/pending",
];
const CHANGES = [
  `writes/${NAME}/(?:approve|reject|cancel|resolve|decide)`,
  `jobs/${NAME}/(?:run|pause|resume)`,
  `sinks/${NAME}/(?:wake|pause|resume)`,
];

const patternOf = (paths: readonly string[]) => new RegExp(`^/v1/(?:${paths.join("|")})$`);
const ALLOWED = { GET: patternOf(READS), POST: patternOf(CHANGES) } as const;
const QUERY = /^[\x21\x24-\x7e]{0,4096}$/;

/** Whether a request is forwarded: its path must be unambiguous, without `//`, `..` or double encoding. */
export function isPassedOn(method: string, url: string): boolean {
  const [path = "", query = "", ...more] = url.split("?");
  if (more.length > 0 || (method !== "GET" && method !== "POST")) return false;
  return ALLOWED[method].test(path) && path.split("/").every(isPlain) && QUERY.test(query);
}

/** Whether it is a single, unambiguous path segment, encoded or decoded. */
function isPlain(part: string): boolean {
  try {
    return !/^\.{1,2}$|[/\\%\p{Cc}]/u.test(decodeURIComponent(part));
  } catch {
    return false;
  }
}
