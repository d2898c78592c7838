// What the name of a consumer may be, and with it that of a sink.

/** Clients take "." and ".." out of a path before they send it, so that nobody could reach a consumer of that name. */
export const CONSUMER_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;

/** What is said of another one. */
export const NO_CONSUMER_NAME = 'must be 1 to 64 letters, digits, ".", "-" or "_", and not "." or ".."';
