// Times as services write them.

const NAMES_ZONE = /(?:z|utc|gmt|[+-]\d\d(?::?\d\d)?)$/i;

/**
 * Milliseconds since the epoch. A time without a zone is UTC, as services mean it, wherever this machine is.
 * @returns NaN for what is no time, or none that a Date can hold
 */
export const instantOf = (text: string): number => Date.parse(NAMES_ZONE.test(text) ? text : `${text}Z`);
