// Why a signature is not taken: each reason with a code of its own, which is one of the API's problems.

/** What is wrong with the signature or its signer. */
export const REFUSED = [
  "signature_malformed",
  "signature_wrong_namespace",
  "signature_wrong_key",
  "signature_bad",
  "signer_unknown",
  "signer_not_valid_now",
] as const;

/** Why nothing can be said of any signature just now. */
export const CANNOT_VERIFY = [
  "signers_not_configured",
  "signers_file_missing",
  "signers_file_unreadable",
  "signers_file_insecure",
  "ssh_keygen_missing",
  "ssh_keygen_failed",
  "too_many_verifications",
] as const;

export type SignatureErrorCode = (typeof REFUSED)[number] | (typeof CANNOT_VERIFY)[number];

export class SignatureError extends Error {
  override readonly name = "SignatureError";
  readonly code: SignatureErrorCode;

  constructor(code: SignatureErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
