// What a 401 of Nexus is about: the project's key at the gateway, or the agent's token behind it.

import { HttpError } from "../../http/errors.ts";
import { fieldsOf } from "../input.ts";

/**
 * Whether the gateway missed or refused the `apikey`: a configuration error, which no new token can fix. Supabase says
 * so in the header `sb-error-code`, older gateways only in the message.
 */
export const isAnonKeyRefused = (error: HttpError): boolean => {
  if (error.status !== 401) return false;
  const { message } = fieldsOf(error.body);
  return (
    /^UNAUTHORIZED_(MISSING|INVALID)_API_KEY/.test(error.headers["sb-error-code"] ?? "") ||
    (typeof message === "string" && /\b(No|Invalid) API key\b/i.test(message))
  );
};

export const anonKeyRefused = (error: HttpError) =>
  renamed(
    error,
    "anon_key_refused",
    "nexus: the gateway refused nexus.anon_key. Replace it with the project's anon key and reload.",
  );

/** The same refusal in nexusd's words and with its code. Retrying cannot help. */
export const renamed = (error: HttpError, code: string, message: string) =>
  new HttpError({
    kind: "status",
    service: "nexus",
    label: error.label,
    ...(error.status === undefined ? {} : { status: error.status }),
    code,
    message,
    retryable: false,
    maybeSent: true,
    cause: error,
  });
