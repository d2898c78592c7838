// A decision by signature: as submitted, and as stored with a write.

/** The decisions that a statement can express. */
export const DECISIONS = ["approve", "reject"] as const;
export type Decision = (typeof DECISIONS)[number];

/** A verified approval by signature. */
export interface SignedApproval {
  signer: string;
  /** The fingerprint of the key, "SHA256:…": one key is one person, whatever names it has. */
  key: string;
  at: string;
}

/** A decision made elsewhere. */
export interface SignedDecision {
  /** The signed text, byte for byte. */
  statement: string;
  /** Armored, as `ssh-keygen -Y sign -n nexusd-decision` prints it. */
  signature: string;
  signer: string;
}

/** Whose signatures the current policy requires for an approval. */
export interface Signing {
  /** null: everyone in the signers file. */
  signers: readonly string[] | null;
  quorum: number;
}
