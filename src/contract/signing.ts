// A decision by signature: as it comes, and as it is kept of a write.

/** What a statement can say of a write. */
export const DECISIONS = ["approve", "reject"] as const;
export type Decision = (typeof DECISIONS)[number];

/** An approval by signature that was verified. */
export interface SignedApproval {
  signer: string;
  /** The fingerprint of the key, "SHA256:…": one key is one person, whatever names it has. */
  key: string;
  at: string;
}

/** A decision that somebody made elsewhere. */
export interface SignedDecision {
  /** The text that was signed, byte for byte. */
  statement: string;
  /** Armored, as `ssh-keygen -Y sign -n nexusd-decision` prints it. */
  signature: string;
  signer: string;
}

/** Whose signatures the policy of now wants for an approval. */
export interface Signing {
  /** null: everybody in the file of signers. */
  signers: readonly string[] | null;
  quorum: number;
}
