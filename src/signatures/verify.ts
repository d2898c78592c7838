// Whether a signature over a statement was made by an allowed signer: verified by the system's `ssh-keygen -Y verify`.

import type { Places } from "../core/semaphore.ts";
import { createPlaces } from "../core/semaphore.ts";
import { SignatureError } from "./error.ts";
import { privateFiles, runKeygen } from "./keygen.ts";
import { readSignersFile, SIGNER_NAME, SIGNER_NAME_ERROR, type SignersFile } from "./signers-file.ts";
import { NAMESPACE, readSignature, type SshSignature } from "./sshsig.ts";

export interface SignedText {
  text: string;
  /** Armored, as `ssh-keygen -Y sign` prints it. */
  signature: string;
  signer: string;
  /** When the signer and the key must be valid, in milliseconds. */
  at: number;
}

export interface Verified {
  signer: string;
  /** The fingerprint of the signing key, "SHA256:…"; for a certificate that of its key. */
  key: string;
}

export interface Verifier {
  /** Checks that the signers file has the name. @throws SignatureError */
  assertKnown(signer: string): void;
  /** @throws SignatureError */
  verify(signed: SignedText, who: "people" | "agents"): Promise<Verified>;
}

/** Each takes a few milliseconds of CPU; agents leave a slot free for people. */
const AT_ONCE = 4;
const MOST_WAITING = { people: 256, agents: 32 };

/** @param signersPath called each time, since a reload changes it; undefined: none is configured */
export function createVerifier(signersPath: () => string | undefined): Verifier {
  const places = createPlaces(AT_ONCE);
  const read = (): SignersFile => {
    const path = signersPath();
    if (path !== undefined) return readSignersFile(path);
    throw new SignatureError(
      "signers_not_configured",
      "Nobody may sign here: approvals.signers of the configuration names no file.",
    );
  };
  return {
    assertKnown: (signer) => assertKnown(signer, read()),
    async verify(signed, who) {
      const signers = read();
      const checked = checkFirst(signed, signers);
      const place = await takePlace(places, who);
      try {
        return await verifyWith(signers, signed, checked);
      } finally {
        place.leave();
      }
    },
  };
}

async function takePlace(places: Places, who: "people" | "agents") {
  if (places.waiting >= MOST_WAITING[who])
    throw new SignatureError(
      "too_many_verifications",
      `${places.waiting} signatures wait to be verified already. Try again later.`,
    );
  return await places.take(who === "people" ? "people" : "agent_reads");
}

/** Checks what needs no process. @throws SignatureError */
function checkFirst({ signature, signer }: Omit<SignedText, "text" | "at">, signers: SignersFile) {
  assertKnown(signer, signers);
  const read = readSignature(signature);
  if (!read.isCertificate && !signers.hasKey(signer, read.publicKey)) throw wrongKey(signer);
  return read;
}

function assertKnown(signer: string, signers: SignersFile): void {
  if (!SIGNER_NAME.test(signer))
    throw new SignatureError("signer_unknown", `The name of a signer ${SIGNER_NAME_ERROR}.`);
  if (!signers.has(signer))
    throw new SignatureError("signer_unknown", `The file of signers has no ${signer}.`);
}

/** @throws SignatureError */
async function verifyWith(
  signers: SignersFile,
  { text, signer, at }: SignedText,
  { armored: signature, isCertificate }: SshSignature,
): Promise<Verified> {
  const files = privateFiles({ signers: signers.content, signature });
  try {
    const { code, output } = await runKeygen(
      [
        ...["-Y", "verify", "-f", files.paths.signers, "-I", signer, "-n", NAMESPACE],
        ...["-s", files.paths.signature, `-Overify-time=${keygenTime(at)}`],
      ],
      text,
    );
    const key = /^Good "[^"]*" signature for .* with \S+ key (SHA256:\S+)/m.exec(output)?.[1];
    if (code === 0 && key !== undefined) return { signer, key };
    throw whyNot(output, signer, isCertificate);
  } finally {
    files.remove();
  }
}

/** 20260301T120000 in UTC, the format of ssh-keygen. */
const keygenTime = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;

/**
 * Its message depends only on its version. What remains are a certificate that no authority of the file has signed for
 * this name, and a signature that is invalid: a plain key is already known to be in the file.
 */
function whyNot(output: string, signer: string, isCertificate: boolean): SignatureError {
  if (/has expired|not yet valid/.test(output))
    return new SignatureError(
      "signer_not_valid_now",
      `The key of ${signer} is not valid now, as the file of signers or its certificate says (valid-after, valid-before).`,
    );
  if (/not permitted for use in signature namespace/.test(output))
    return new SignatureError(
      "signature_wrong_namespace",
      `The file of signers does not let ${signer} sign decisions with this key: its namespaces need "${NAMESPACE}".`,
    );
  if (isCertificate && !/incorrect signature/.test(output)) return wrongKey(signer);
  return new SignatureError(
    "signature_bad",
    "The signature is not one of this statement: it was made over another text, or one of the two was changed.",
  );
}

const wrongKey = (signer: string) =>
  new SignatureError(
    "signature_wrong_key",
    `The signature was made with a key that is not one of ${signer} in the file of signers.`,
  );
