// Says what is valid if an input does not fit its schema: words for issues without a message of their own.

import type { z } from "zod";

const TYPES: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "an array",
};
const TOML_TYPES = { ...TYPES, string: "text in quotes", object: "a table", record: "a table" };

/** The message for a string of the wrong format. */
const FORMATS: Record<string, string> = {
  uuid: "must be a UUID",
  guid: "must be a UUID",
  email: "must be an e-mail address",
  datetime: "must be a time with its zone (RFC 3339), such as 2026-01-31T10:00:00Z",
  date: "must be a date, such as 2026-01-31",
  time: "must be a time of day, such as 10:00:00",
  duration: "must be a duration (ISO 8601), such as PT30M",
  url: "must be a URL",
  ipv4: "must be an IPv4 address",
  ipv6: "must be an IPv6 address",
  base64: "must be Base64",
};

/** What is counted where a length is wrong. */
const PARTS: Record<string, string> = { string: "characters", array: "entries" };

const explainWith =
  (types: Record<string, string>) =>
  (issue: z.core.$ZodRawIssue): string => {
    switch (issue.code) {
      case "invalid_type": {
        const expected = `must be ${types[issue.expected] ?? issue.expected}`;
        return issue.input === undefined ? `is missing: ${expected}` : expected;
      }
      case "invalid_value":
        return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
      case "too_small":
        if (issue.origin in PARTS)
          return issue.minimum === 1
            ? "must not be empty"
            : `must have at least ${issue.minimum} ${PARTS[issue.origin]}`;
        return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
      case "too_big":
        if (issue.origin in PARTS) return `must have at most ${issue.maximum} ${PARTS[issue.origin]}`;
        return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
      case "invalid_format":
        return FORMATS[issue.format] ?? `must be text of the format ${issue.format}`;
      case "not_multiple_of":
        return `must be a multiple of ${issue.divisor}`;
      case "invalid_union":
        return issue.note === "No matching discriminator" && issue.discriminator !== undefined
          ? `has no ${issue.discriminator} that is known here`
          : "fits none of its alternatives";
      default:
        return "is not valid here";
    }
  };

/** What is valid in a TOML file, for issues without a message of their own. */
export const explain = explainWith(TOML_TYPES);

/** The same for JSON and JavaScript: requests and job files. */
export const explainValue = explainWith(TYPES);
