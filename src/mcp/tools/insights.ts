// insights_search: searches everything Nex has said about a target.

import { z } from "zod";
import { cut, fitting, note, plain, UNTRUSTED_NOTE, untrusted } from "../foreign.ts";
import { offset, text, whole } from "../input.ts";
import { defineTool } from "../tool.ts";

const DEFAULT_LIMIT = 20;

export const insightsSearch = defineTool({
  name: "insights_search",
  title: "Search insights",
  description:
    "Searches the insights that Nex ever gave, the newest first: by words of their text, by whom they are about, by time. Every word has to occur, as the beginning of a word.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({
    text: text(500, "Words of the insight or of its evidence").optional(),
    target: text(500, "Words of whom it is about: a name, an address").optional(),
    type: text(100, "The kind of insight, such as opportunity").optional(),
    minConfidence: z
      .preprocess((value) => (typeof value === "string" ? Number(value) : value), z.number().min(0).max(1))
      .optional()
      .describe("How sure it has to be, 0 to 1"),
    since: text(40, "Not before this time (RFC 3339)").optional(),
    until: text(40, "Not after this time (RFC 3339)").optional(),
    limit: whole(1, 200, `How many at most; ${DEFAULT_LIMIT} where left out`).optional(),
    offset,
  }),
  output: z.object({
    insights: z.array(
      z.object({ sequence: z.int(), time: z.string(), untrusted: untrusted("the insight as Nex gave it") }),
    ),
    more: z.string().optional(),
    note,
  }),
  run: async ({ limit = DEFAULT_LIMIT, offset, ...query }, { client, signal }) => {
    const { insights, isCut } = await client.insights({ ...query, limit, signal });
    const all = insights.map(({ sequence, time, ...rest }) => ({ sequence, time, untrusted: rest }));
    const taken = fitting(all);
    const [first] = taken;
    const whole = first && cut(first.untrusted, { offset: offset ?? 0 });
    const last = taken.at(-1);
    const more =
      whole?.nextOffset !== undefined
        ? `The first one is longer than one answer: the same with limit=1, offset=${whole.nextOffset} gives its next part.`
        : (isCut || taken.length < all.length) && last
          ? `There are more: the older ones come with until=${last.time}.`
          : undefined;
    return {
      insights: taken.map((one, at) => ({
        ...one,
        // plain() turns a JSON object into an object.
        untrusted: plain(at === 0 && whole ? whole.value : one.untrusted) as Record<string, unknown>,
      })),
      ...(more !== undefined && { more }),
      note: UNTRUSTED_NOTE,
    };
  },
});
