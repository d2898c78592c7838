// People with SSH keys: their file of signers, and their signatures. Made here, so thousands cost nothing, in
// ssh-keygen's format (OpenSSH, PROTOCOL.sshsig); ssh-keygen verifies every one of them.

import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NAMESPACE } from "../../src/signatures/sshsig.ts";

export interface Signer {
  name: string;
  /** As in a `.pub` file, without a comment. */
  publicKey: string;
  /** Of the text, armored. */
  sign(text: string, namespace?: string): string;
}

const string = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** The last 32 bytes of the DER of an Ed25519 key are the key. */
const rawKey = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" }).subarray(-32);

export function createSigner(name: string): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const blob = Buffer.concat([string("ssh-ed25519"), string(rawKey(publicKey))]);
  return {
    name,
    publicKey: `ssh-ed25519 ${blob.toString("base64")}`,
    sign(text, namespace = NAMESPACE) {
      const about = Buffer.concat([string(namespace), string(""), string("sha512")]);
      const digest = createHash("sha512").update(text).digest();
      const signed = Buffer.concat([Buffer.from("SSHSIG"), about, string(digest)]);
      const signature = Buffer.concat([string("ssh-ed25519"), string(sign(null, signed, privateKey))]);
      const version = Buffer.from([0, 0, 0, 1]);
      return armored(Buffer.concat([Buffer.from("SSHSIG"), version, string(blob), about, string(signature)]));
    },
  };
}

const armored = (blob: Buffer): string =>
  [
    "-----BEGIN SSH SIGNATURE-----",
    ...(blob.toString("base64").match(/.{1,70}/g) ?? []),
    "-----END SSH SIGNATURE-----",
    "",
  ].join("\n");

/** @param options such as `valid-before="20200101Z"` */
export const signerLine = ({ name, publicKey }: Signer, options = ""): string =>
  `${[name, options, publicKey].filter(Boolean).join(" ")}\n`;

/** @returns its path */
export function writeSigners(directory: string, lines: readonly string[]): string {
  const path = join(directory, "allowed_signers");
  writeFileSync(path, lines.join(""), { mode: 0o600 });
  return path;
}
