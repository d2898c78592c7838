// A decision by signature: the statement, what to compare on a second device, and the signature to paste.

import { useEffect, useId, useState } from "preact/hooks";
import type { WriteReviewView } from "../../../contract/api/writes.ts";
import type { Decision, SignedDecision } from "../../../contract/signing.ts";
import { type Fingerprint, fingerprintOf } from "../../../core/fingerprint.ts";
import { getText, wordsOf } from "../lib/api.ts";
import { taken } from "./decision.tsx";
import { Lines } from "./request.tsx";

interface Props {
  write: WriteReviewView["write"];
  /** Why it cannot be decided so now; "": it can. */
  why: Readonly<Record<Decision, string>>;
  onDecide(signed: SignedDecision): void;
}

interface Statement {
  text: string;
  fingerprint: Fingerprint;
}

export function Signing({ write, why, onDecide }: Props) {
  const { id, digest, state, signing } = write;
  const [decision, setDecision] = useState<Decision>("approve");
  const [statement, setStatement] = useState<Statement | undefined>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const abort = new AbortController();
    setStatement(undefined);
    if (state !== "proposed") return;
    const fetchStatement = async () => {
      const text = await getText(
        `/v1/writes/${encodeURIComponent(id)}/statement?decision=${decision}`,
        abort.signal,
      );
      setStatement({ text, fingerprint: await fingerprintOf(text) });
      setProblem("");
    };
    fetchStatement().catch((error: unknown) => {
      if (!abort.signal.aborted) setProblem(wordsOf(error));
    });
    return () => abort.abort();
  }, [id, digest, state, decision]);

  return (
    <div class="signing">
      <p>
        {wanted(signing)} {write.signedBy.length > 0 && `${write.signedBy.length} of them signed already.`}
      </p>
      <fieldset>
        <legend>The statement says</legend>
        {(["approve", "reject"] as const).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="decision"
              checked={decision === one}
              onChange={() => setDecision(one)}
            />{" "}
            {one}
          </label>
        ))}
      </fieldset>
      {problem && <p class="problem">{problem}</p>}
      {statement && (
        <>
          <pre class="request statement">
            <Lines text={statement.text} />
          </pre>
          <Compare fingerprint={statement.fingerprint} />
          <p>Sign it where your key is:</p>
          <pre class="command">{`nexusctl writes sign ${id} --key FILE --decision ${decision}`}</pre>
        </>
      )}
      <Paste
        key={decision}
        signers={signing?.signers ?? []}
        why={why[decision] || (statement ? "" : "There is no statement yet.")}
        onPaste={(signer, signature) =>
          statement && onDecide({ statement: statement.text, signer, signature })
        }
      />
    </div>
  );
}

function wanted(signing: WriteReviewView["write"]["signing"]): string {
  const names = signing?.signers?.join(", ") ?? "somebody in the file of signers";
  const quorum = signing?.quorum ?? 1;
  return quorum > 1
    ? `${quorum} signatures approve this, of: ${names}.`
    : `A signature approves this, of: ${names}.`;
}

function Compare({ fingerprint: { hex, words } }: { fingerprint: Fingerprint }) {
  return (
    <div class="compare">
      <p>
        On a second device, <code>nexusctl writes statement</code> must show the same:
      </p>
      <ol class="words">
        {words.map((word, at) => (
          <li key={at}>{word}</li>
        ))}
      </ol>
      <p class="hex">
        {hex.map((group, at) => (
          <span key={at}>{group} </span>
        ))}
      </p>
    </div>
  );
}

interface PasteProps {
  signers: readonly string[];
  why: string;
  onPaste(signer: string, signature: string): void;
}

function Paste({ signers, why, onPaste }: PasteProps) {
  const [signer, setSigner] = useState(signers.length === 1 ? (signers[0] ?? "") : "");
  const [signature, setSignature] = useState("");
  const [isMissing, setMissing] = useState(false);
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    const isThere = signer.trim() !== "" && signature.trim() !== "";
    setMissing(!isThere);
    // ssh-keygen ends its output with a line break, which a selection often misses.
    if (!why && isThere) onPaste(signer.trim(), `${signature.trim()}\n`);
  };
  return (
    <form onSubmit={submit}>
      <label for={`${id}signer`}>Signer (the name in the file of signers)</label>
      <input
        id={`${id}signer`}
        value={signer}
        maxLength={256}
        autocomplete="off"
        list={`${id}signers`}
        onInput={taken(setSigner)}
      />
      <datalist id={`${id}signers`}>
        {signers.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label for={`${id}signature`}>Signature (all that was printed, from BEGIN to END)</label>
      <textarea
        id={`${id}signature`}
        value={signature}
        rows={6}
        spellcheck={false}
        autocomplete="off"
        onInput={taken(setSignature)}
      />
      <button type="submit" class="approve" aria-disabled={why !== ""} aria-describedby={`${id}why`}>
        Hand over the signature
      </button>
      <span id={`${id}why`} class="aside" role={isMissing ? "alert" : undefined}>
        {why || (isMissing ? "Name the signer, and paste the signature." : "")}
      </span>
    </form>
  );
}
