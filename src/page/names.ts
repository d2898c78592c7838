// What the page's two sides call the same: its server in Node.js and its code in the browser. It imports nothing.

/** Where the one-use link leads: `/open#KEY`. A GET of it does nothing, a POST of the key from there opens the page. */
export const OPEN_PATH = "/open";

/**
 * The header that each request of the page to `/v1/` carries, beside the cookie. A cookie belongs to a host with all its
 * ports, so that whatever else listens on 127.0.0.1 may be sent it; what script keeps belongs to this port alone.
 */
export const TAB_HEADER = "nexusd-page";

/** Under which name the browser keeps the value of that header (localStorage). */
export const TAB_STORAGE = "nexusd-page";
