// The decision on a write: an approval names the digest of exactly what was on the screen.

import { useId, useState } from "preact/hooks";
import type { WriteReviewView } from "../../../contract/api/writes.ts";
import { post, wordsOf } from "../lib/api.ts";
import { announce } from "../stores/announce.ts";
import { isCurrent } from "../stores/connection.ts";
import { rememberOwn } from "../stores/review.ts";
import { Signing } from "./signing.tsx";

interface Props {
  review: WriteReviewView;
  isSeen: boolean;
}

export function Decision({ review: { write }, isSeen }: Props) {
  const [problem, setProblem] = useState("");
  const [isSending, setSending] = useState(false);
  const why = whyNot(write.state, isSeen, isSending);
  // What is not approved need not be read to its end.
  const whyNoRejection = whyNot(write.state, true, isSending);

  const send = async (path: "approve" | "reject" | "decide", body: object) => {
    // The screen may be a second old: what counts is the state now.
    if (!isCurrent.value || isSending) return;
    setSending(true);
    setProblem("");
    rememberOwn(write.id);
    try {
      await post(`/v1/writes/${encodeURIComponent(write.id)}/${path}`, body);
    } catch (error) {
      setProblem(wordsOf(error));
      announce(wordsOf(error));
    } finally {
      setSending(false);
    }
  };

  return (
    <section class="decision">
      <h2>Decide</h2>
      {problem && <p class="problem">{problem}</p>}
      {write.signing ? (
        <Signing
          write={write}
          why={{ approve: why, reject: whyNoRejection }}
          onDecide={(body) => send("decide", body)}
        />
      ) : (
        <Approve why={why} onApprove={(note) => send("approve", { digest: write.digest, ...note })} />
      )}
      <Reject why={whyNoRejection} onReject={(reason) => send("reject", { reason })} />
    </section>
  );
}

/** Why it cannot be decided now, in words; "": it can. */
function whyNot(state: string, isSeen: boolean, isSending: boolean): string {
  if (state !== "proposed") return "This write is not open any more.";
  if (!isCurrent.value) return "Deciding is off until the page is up to date again.";
  if (isSending) return "Being sent…";
  return isSeen ? "" : "Read the whole request first.";
}

function Approve({ why, onApprove }: { why: string; onApprove(note: { note?: string }): void }) {
  const [note, setNote] = useState("");
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    if (!why) onApprove(note.trim() ? { note: note.trim() } : {});
  };
  return (
    <form onSubmit={submit}>
      <label for={`${id}note`}>Note (optional)</label>
      <input id={`${id}note`} value={note} maxLength={2000} autocomplete="off" onInput={taken(setNote)} />
      <button type="submit" class="approve" aria-disabled={why !== ""} aria-describedby={`${id}why`}>
        Approve
      </button>
      <span id={`${id}why`} class="aside">
        {why}
      </span>
    </form>
  );
}

function Reject({ why, onReject }: { why: string; onReject(reason: string): void }) {
  const [reason, setReason] = useState("");
  const [isMissing, setMissing] = useState(false);
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    setMissing(reason.trim() === "");
    if (!why && reason.trim()) onReject(reason.trim());
  };
  return (
    <form onSubmit={submit}>
      <label for={`${id}reason`}>Reason for a rejection (the agent reads it)</label>
      <input
        id={`${id}reason`}
        value={reason}
        maxLength={2000}
        autocomplete="off"
        aria-invalid={isMissing}
        aria-describedby={`${id}why`}
        onInput={taken(setReason)}
      />
      <button type="submit" class="reject" aria-disabled={why !== ""} aria-describedby={`${id}why`}>
        Reject
      </button>
      <span id={`${id}why`} class="aside" role={isMissing ? "alert" : undefined}>
        {why || (isMissing ? "Say why: the agent reads it." : "")}
      </span>
    </form>
  );
}

/** Handles the input of a field. */
export const taken =
  (take: (text: string) => void) =>
  ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
    take(currentTarget.value);
