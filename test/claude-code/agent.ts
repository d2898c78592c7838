// An agent that follows the skill: reads what is pending and acknowledges it, until nothing is left.

import { isObject } from "../../src/core/is-object.ts";
import { type Part, type Prompt, partsOf, type Reply } from "./model.ts";

export interface Agent {
  script(prompt: Prompt): Reply;
  /** What it was told and what it did, in order. */
  history: string[];
}

const READ = "mcp__nexusd__events_read";
const ACK = "mcp__nexusd__events_ack";
/** It shows the tools of MCP servers to a model only when that has asked for them. */
const SEARCH = "ToolSearch";
const NOTICE = /nexusd: \d+ events? for the consumer .*/;

export function createAgent(): Agent {
  const history: string[] = [];
  const read = { tool: READ, input: { limit: 20 } };
  return {
    history,
    script({ messages, tools }) {
      const said = messages.filter(({ role }) => role !== "system");
      const parts = said.flatMap(partsOf);
      const last = said.at(-1);
      const result = last && partsOf(last).find((part) => part.type === "tool_result");
      if (result === undefined) {
        const text = last === undefined ? "" : partsOf(last).map(textOf).join("\n");
        const notice = NOTICE.exec(text)?.[0];
        history.push(notice === undefined ? `asked ${text}` : `woken ${notice}`);
        if (notice === undefined) return { text: "Yes?" };
        const isKnown = parts.some((part) => part.type === "tool_use" && part.name === SEARCH);
        return isKnown || !tools.includes(SEARCH)
          ? read
          : { tool: SEARCH, input: { query: `select:${READ},${ACK}` } };
      }
      const call = parts.find((part) => part.type === "tool_use" && part.id === result.tool_use_id);
      const tool = call?.type === "tool_use" ? call.name : "";
      if (tool === SEARCH) return read;
      if (tool === ACK) {
        history.push("acknowledged");
        return read;
      }
      const text = textOf(result);
      const sequences = sequencesOf(text);
      history.push(sequences === undefined ? `failed ${text}` : `read ${sequences.join(" ")}`.trim());
      const sequence = sequences?.at(-1);
      return sequence === undefined
        ? { text: "Nothing is left to be done." }
        : { tool: ACK, input: { sequence } };
    },
  };
}

function textOf(part: Part): string {
  if (part.type === "text") return part.text;
  if (part.type !== "tool_result") return "";
  return typeof part.content === "string" ? part.content : (part.content ?? []).map(textOf).join("");
}

/** Undefined: not an answer of `events_read`, such as that a person has not allowed the call. */
function sequencesOf(text: string): number[] | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    if (!isObject(answer) || !Array.isArray(answer.events)) return undefined;
    return answer.events.map(({ sequence }) => Number(sequence));
  } catch {
    return undefined;
  }
}
