// Standard Webhooks 1.0: the headers that identify the message, say when it was sent, and prove that it is ours.

import { Webhook } from "standardwebhooks";

/** A secret that cannot sign. The message says what would be right, and never holds it. */
export class SigningSecretError extends Error {
  override readonly name = "SigningSecretError";
}

const PREFIX = "whsec_";
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Of the specification, in bytes. */
const LEAST = 24;
const MOST = 64;

export type Sign = (id: string, sentAtMs: number, body: string) => Record<string, string>;

/**
 * Signs with each secret, so that a receiver that knows one of them accepts it while the secret is replaced.
 * @param secrets as the specification writes them, with or without `whsec_`
 * @throws SigningSecretError
 */
export function signerOf(secrets: readonly string[]): Sign {
  const hooks = secrets.map((secret) => new Webhook(checked(secret)));
  return (id, sentAtMs, body) => {
    const sentAt = new Date(sentAtMs);
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(sentAtMs / 1000)),
      "webhook-signature": hooks.map((hook) => hook.sign(id, sentAt, body)).join(" "),
    };
  };
}

function checked(secret: string): string {
  const key = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const bytes = BASE64.test(key) ? Buffer.from(key, "base64").length : 0;
  if (bytes >= LEAST && bytes <= MOST) return secret;
  throw new SigningSecretError(
    `must be ${PREFIX} and the base64 of ${LEAST} to ${MOST} random bytes: ` +
      `make one with echo "${PREFIX}$(openssl rand -base64 32)"`,
  );
}
