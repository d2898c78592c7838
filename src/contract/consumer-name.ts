// The allowed names of consumers, and therefore of sinks.

/** Clients normalize "." and ".." in a path before they send it, so a consumer of that name would be unreachable. */
export const CONSUMER_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;

/** The error message for any other one. */
export const NO_CONSUMER_NAME = 'must be 1 to 64 letters, digits, ".", "-" or "_", and not "." or ".."';
