// Why a signature is refused: each reason has its own code, which is one of the API's problems.

/** The signature or its signer is wrong. */
export const REFUSED = [
  "signature_malformed",
  "signature_wrong_namespace",
  "signature_wrong_key",
  "signature_bad",
  "signer_unknown",
  "signer_not_valid_now",
] as const;

/** No signature can be verified at the moment. */
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
