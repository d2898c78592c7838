// Names shared by the page's server in Node.js and its code in the browser. It imports nothing.

/** The one-use link: `/open#KEY`. A GET has no effect; a POST of the key from there opens the page. */
export const OPEN_PATH = "/open";

/**
 * The header that each request of the page to `/v1/` has, besides the cookie. A cookie belongs to a host with all its
 * ports, so other servers on 127.0.0.1 may receive it; script storage belongs to this port only.
 */
export const TAB_HEADER = "nexusd-page";

/** The key under which the browser stores the value of that header (localStorage). */
export const TAB_STORAGE = "nexusd-page";
