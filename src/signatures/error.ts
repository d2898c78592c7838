// Why a signature is not taken: each reason with a code of its own, which is one of the API's problems.

export type SignatureErrorCode =
  | "signature_malformed"
  | "signature_wrong_namespace"
  | "signature_wrong_key"
  | "signature_bad"
  | "signer_unknown"
  | "signer_not_valid_now"
  | "signers_not_configured"
  | "signers_file_missing"
  | "signers_file_unreadable"
  | "signers_file_insecure"
  | "ssh_keygen_missing"
  | "ssh_keygen_failed"
  | "too_many_verifications";

export class SignatureError extends Error {
  override readonly name = "SignatureError";
  readonly code: SignatureErrorCode;

  constructor(code: SignatureErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
