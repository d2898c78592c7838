// Parses a signature of `ssh-keygen -Y sign` as far as its namespace and key: OpenSSH, PROTOCOL.sshsig.

import { SignatureError } from "./error.ts";

/** The namespace of signed decisions; a signature in any other one is refused. */
export const NAMESPACE = "nexusd-decision";

export interface SshSignature {
  /** As ssh-keygen writes it, which accepts neither Windows line ends nor text before the first line. */
  armored: string;
  /** The public key in wire format, base64 as in a `.pub` file; for a certificate all of it. */
  publicKey: string;
  /** "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", … */
  keyType: string;
  isCertificate: boolean;
}

const [BEGIN, END] = ["-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"];
const MAGIC = "SSHSIG";
const LINE = 70;
/** A certificate with many principals is a few kB. */
export const LONGEST_SIGNATURE = 2 ** 15;

/**
 * White space around it and in it is ignored.
 * @throws SignatureError `signature_malformed`, `signature_wrong_namespace`
 */
export function readSignature(text: string): SshSignature {
  const trimmed = text.trim();
  const inner = trimmed.slice(BEGIN.length, -END.length).replace(/\s+/g, "");
  const isArmored =
    trimmed.length <= LONGEST_SIGNATURE &&
    trimmed.startsWith(BEGIN) &&
    trimmed.endsWith(END) &&
    /^[A-Za-z0-9+/]+={0,2}$/.test(inner);
  if (!isArmored)
    throw malformed(`it must be all from "${BEGIN}" to "${END}", as ssh-keygen -Y sign prints it`);
  const blob = Buffer.from(inner, "base64");
  const { publicKey, namespace } = readBlob(blob);
  if (namespace !== NAMESPACE)
    throw new SignatureError(
      "signature_wrong_namespace",
      `The signature was made for ${JSON.stringify(namespace.slice(0, 60))}, not for "${NAMESPACE}": sign with ssh-keygen -Y sign -n ${NAMESPACE}.`,
    );
  const keyType = reader(publicKey).text();
  const lines = blob.toString("base64").match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return {
    armored: [BEGIN, ...lines, END, ""].join("\n"),
    publicKey: publicKey.toString("base64"),
    keyType,
    isCertificate: keyType.includes("-cert-v"),
  };
}

function readBlob(blob: Buffer): { publicKey: Buffer; namespace: string } {
  if (blob.toString("latin1", 0, MAGIC.length) !== MAGIC) throw malformed("it does not begin as one does");
  const rest = reader(blob.subarray(MAGIC.length));
  const version = rest.number();
  if (version !== 1) throw malformed(`it is of version ${version}, and only version 1 is known`);
  const publicKey = rest.bytes();
  const namespace = rest.text();
  // The reserved field, the hash and the signature itself are left to ssh-keygen.
  for (let left = 3; left > 0; left--) rest.bytes();
  if (!rest.isAtEnd()) throw malformed("something follows its end");
  return { publicKey, namespace };
}

/** Strings of RFC 4251: a four-byte length, then that many bytes. */
function reader(blob: Buffer) {
  let at = 0;
  const number = () => {
    if (at + 4 > blob.length) throw malformed("it is cut off");
    const value = blob.readUInt32BE(at);
    at += 4;
    return value;
  };
  const bytes = () => {
    const length = number();
    if (at + length > blob.length) throw malformed("it is cut off");
    at += length;
    return blob.subarray(at - length, at);
  };
  return { number, bytes, text: () => bytes().toString("utf8"), isAtEnd: () => at === blob.length };
}

const malformed = (why: string) =>
  new SignatureError("signature_malformed", `This is no SSH signature: ${why}.`);
