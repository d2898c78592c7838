// An agent that follows the skill: reads what is pending, works, acknowledges, until nothing is left. Its input and
// output are recorded here, in the model, which no kill of the test touches.

import { isObject } from "../../src/core/is-object.ts";
import { lastCall, type Prompt, type Reply, turnOf } from "./model.ts";

export type Entry =
  /** Events came to the model; `sequences` in the order of the answer. */
  | { kind: "read"; at: number; sequences: number[]; texts: string[] }
  | { kind: "ack"; at: number; upTo: number }
  /** The acknowledgement was answered. */
  | { kind: "acked"; at: number; upTo: number };

export interface Agent {
  script(prompt: Prompt): Reply;
  history: Entry[];
  /** Runs when events came, before they are acknowledged. A reply is given instead of the acknowledgement. */
  onRead: (entry: Entry & { kind: "read" }) => Reply | undefined;
}

const READ = "nexusd__events_read";
const ACK = "nexusd__events_ack";
const DONE: Reply = { text: "Nothing is left to be done." };
/** Many small pieces, for a kill to fall between them. */
const LIMIT = 20;

export function createAgent(): Agent {
  const history: Entry[] = [];
  let unacked = 0;
  const acknowledge = (at: number): Reply => {
    history.push({ kind: "ack", at, upTo: unacked });
    return { tool: ACK, input: { sequence: unacked } };
  };
  const agent: Agent = {
    history,
    onRead: () => undefined,
    script({ at, ...prompt }) {
      const { since, asked } = turnOf({ at, ...prompt });
      const called = lastCall(since);
      if (since.length === 0)
        return asked.includes("nexusd: ") ? { tool: READ, input: { limit: LIMIT } } : DONE;
      if (called?.result === undefined) return DONE;
      if (called.tool.endsWith(ACK)) {
        history.push({ kind: "acked", at, upTo: unacked });
        return { tool: READ, input: { limit: LIMIT } };
      }
      if (!called.tool.endsWith(READ)) return acknowledge(at);
      const entry = { kind: "read" as const, at, ...eventsOf(called.result) };
      const last = entry.sequences.at(-1);
      if (last === undefined) return DONE;
      history.push(entry);
      unacked = last;
      return agent.onRead(entry) ?? acknowledge(at);
    },
  };
  return agent;
}

function eventsOf(result: unknown): { sequences: number[]; texts: string[] } {
  const events = isObject(result) && Array.isArray(result.events) ? result.events : [];
  return {
    sequences: events.map((event) => Number(event.sequence)),
    texts: events.map((event) => event.untrusted?.data?.text),
  };
}

/**
 * What is wrong with a history: an event that was acknowledged unread, or that came again after its acknowledgement was
 * answered, or that no acknowledgement covers.
 * @param log the sequences of all events that the consumer wants
 */
export function faultsOf(history: readonly Entry[], log: readonly number[]): string[] {
  const faults: string[] = [];
  const read = new Set<number>();
  let answered = 0;
  let covered = 0;
  for (const entry of history) {
    if (entry.kind === "read") {
      for (const sequence of entry.sequences) {
        if (sequence <= answered) faults.push(`${sequence} came again after it was acknowledged`);
        read.add(sequence);
      }
    } else if (entry.kind === "acked") answered = Math.max(answered, entry.upTo);
    else {
      const unread = log.filter(
        (sequence) => sequence > covered && sequence <= entry.upTo && !read.has(sequence),
      );
      for (const sequence of unread) faults.push(`${sequence} was acknowledged unread`);
      covered = Math.max(covered, entry.upTo);
    }
  }
  for (const sequence of log) if (sequence > covered) faults.push(`${sequence} was never acknowledged`);
  return faults;
}
