// The stored insights: everything that Nex ever sent, answered from the store alone.

import { z } from "zod";
import { limitQuery, PAGE_LENGTH, timestamp } from "../../contract/api/fields.ts";
import { insightsAnswer } from "../../contract/api/views.ts";
import type { FoundEvent, Store } from "../../contract/store.ts";
import { isUnspaced, soughtWords } from "../../core/text/words.ts";
import { present } from "../input.ts";
import { defineRoute, JsonText, loggedText, observedAt, type Route } from "../route.ts";

/**
 * Each word costs a walk through all texts that contain it, including words separated only by a hyphen or another sign.
 * A word of one letter costs a walk through most of the index.
 */
const MOST_WORDS = 10;
const FEWEST_LETTERS = 2;
/** In scripts without blanks between words, where a single character can be a word. */
const MOST_SIGNS = 100;
const words = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .superRefine((text, context) => {
    const given = text.split(/\s+/u).map(soughtWords);
    const isShort = (word: string) => word !== "" && [...word].length < FEWEST_LETTERS && !isUnspaced(word);
    const refuse = (message: string) => context.addIssue({ code: "custom", input: text, message });
    const signs = given.flat().filter(isUnspaced).length;
    const spaced = given.flat().length - signs;
    const count = Math.max(given.length, spaced);
    if (count > MOST_WORDS)
      refuse(
        `must have at most ${MOST_WORDS} words, and has ${count}: hyphens and other signs separate words, too`,
      );
    else if (given.some((words) => isShort(words.join(""))))
      refuse(`must have at least ${FEWEST_LETTERS} letters in each word`);
    else if (signs > MOST_SIGNS)
      refuse(`must have at most ${MOST_SIGNS} characters of scripts without spaces, and has ${signs}`);
  })
  .optional();
const confidence = z
  .string()
  .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, "must be a number from 0 to 1, such as 0.8")
  .transform(Number);

export const nexRoutes = (store: Pick<Store, "searchEvents" | "readCursor">): Route[] => [
  defineRoute({
    method: "GET",
    path: "/v1/nex/insights",
    isExpensive: true,
    operationId: "listInsights",
    summary: "All insights ever received, newest first",
    tag: "views",
    query: z.strictObject({
      type: z.string().min(1).max(128).optional().describe("Such as risk or opportunity"),
      target: words.describe(
        "Only insights about a person or company with these words; each may be the start of a word",
      ),
      text: words.describe("Only insights with these words; each may be the start of a word"),
      minConfidence: confidence
        .optional()
        .describe("Only insights with at least this confidence, from 0 to 1"),
      since: timestamp.optional(),
      until: timestamp.optional(),
      limit: limitQuery,
    }),
    answer: insightsAnswer,
    problems: [],
    async handle({ query: { limit, ...filters } }) {
      const [found, asOf] = await Promise.all([
        store.searchEvents({ limit, maxLength: PAGE_LENGTH, ...present(filters) }),
        observedAt(store, "nex.insights"),
      ]);
      const isCut = found.length < limit && lengthOf(found) >= PAGE_LENGTH;
      return new JsonText(
        `{"asOf":${JSON.stringify(asOf)},"insights":[${found.map(insightText).join(",")}],"isCut":${isCut}}`,
      );
    },
  }),
];

const lengthOf = (found: readonly FoundEvent[]) => found.reduce((sum, { data }) => sum + data.length, 0);

const insightText = ({ sequence, time, data }: FoundEvent): string =>
  loggedText({ sequence, time: JSON.stringify(time), data });
