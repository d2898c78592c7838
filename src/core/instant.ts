// Times as services write them.

const NAMES_ZONE = /(?:z|utc|gmt|[+-]\d\d(?::?\d\d)?)$/i;

/**
 * Milliseconds since the epoch. A time without a zone is UTC, as services mean it, in any time zone of this machine.
 * @returns NaN if it is not a time, or not one that a Date can hold
 */
export const instantOf = (text: string): number => Date.parse(NAMES_ZONE.test(text) ? text : `${text}Z`);
