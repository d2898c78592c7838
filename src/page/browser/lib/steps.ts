// A step of a write in words: what happened, who did it, and why.

import type { WriteStep } from "../../../contract/new-event.ts";

const BY_ITSELF: Readonly<Record<string, string>> = {
  executing: "Being sent",
  succeeded: "Done: the service confirmed it",
  failed: "Not done",
  unknown: "Sent, and nobody knows whether it was done",
  expired: "Expired: nobody decided in time",
  closed: "No longer open",
};
const BY_SOMEBODY: Readonly<Record<string, string>> = {
  approved: "Approved",
  rejected: "Rejected",
  cancelled: "Withdrawn",
  resolved: "Resolved",
  proposed: "Signed",
};

type Said = Pick<WriteStep, "state" | "note" | "error" | "actor">;

/** "Approved by alice (signature)", "Rejected by ops: not before Monday" */
export function stepWords({ state, note, error, actor }: Said): string {
  const what = BY_SOMEBODY[state] ? `${BY_SOMEBODY[state]}${byWhom(actor)}` : (BY_ITSELF[state] ?? state);
  const why = error ? `${error.code}: ${error.message}` : note;
  return why ? `${what}: ${why}` : what;
}

function byWhom(actor: WriteStep["actor"]): string {
  if (!actor) return "";
  if (actor.signer) return ` by ${actor.signer} (signature)`;
  if (actor.door === "policy") return " by the policy";
  if (actor.door === "agent.sock") return actor.user ? ` by an agent (${actor.user})` : " by an agent";
  return actor.user ? ` by ${actor.user}` : " by an operator";
}

/** One word, for a list. */
export const stateWord = (state: string): string => (state === "closed" ? "no longer open" : state);
