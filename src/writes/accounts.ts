// Which account a request is sent with: its origin and a fingerprint of the credential, so that an approval is valid
// only for the account that it was given for.

import { createHmac, randomBytes } from "node:crypto";
import type { Store } from "../contract/store.ts";
import type { Account } from "../contract/writes.ts";
import { SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import type { OperationRequest } from "../services/operation.ts";

/** In the table of secrets. Without it a fingerprint reveals nothing, not even about a key that can be guessed. */
const KEY_NAME = "accounts.key";
const KEY_BYTES = 32;

/** The long-lived credentials of the configuration; their tokens come and go. */
export interface AccountSource {
  /** Of the service as currently configured. */
  origin(service: string): string;
  /** The key that an account of the service belongs to; undefined: none is configured. */
  secret(service: string): string | undefined;
}

export interface Accounts {
  /** At the start, before anything else is asked. @throws StoreError */
  load(): Promise<void>;
  /** Of a request as it would be sent now. */
  of(request: Pick<OperationRequest, "origin" | "credential">): Account;
  /** How the account of a proposal has changed, in words; undefined: it has not. */
  change(before: Account): string | undefined;
}

/** Undefined: the credential is none of the configuration. */
const serviceOf = (kind: string): ServiceModule | undefined =>
  SERVICES.find(({ name, secrets }: ServiceModule) => name === kind && secrets.length > 0);

export function createAccounts(
  store: Pick<Store, "readSecret" | "commitObservation" | "fleet">,
  source: AccountSource,
): Accounts {
  let key: string | undefined;
  const fingerprint = (service: string): string | null => {
    if (key === undefined) throw new Error("the key of the fingerprints is not loaded");
    const secret = source.secret(service);
    if (secret === undefined) return null;
    return createHmac("sha256", Buffer.from(key, "hex")).update(`${service}\0${secret}`).digest("hex");
  };

  return {
    async load() {
      key = await store.readSecret(KEY_NAME);
      if (key !== undefined) return;
      // Nodes that start at once must not make one each: an approval on one would be stale on the others.
      await store.fleet.hold(KEY_NAME, new AbortController().signal, async () => {
        key = await store.readSecret(KEY_NAME);
        if (key !== undefined) return;
        const made = randomBytes(KEY_BYTES).toString("hex");
        await store.commitObservation({ source: KEY_NAME, secrets: [{ name: KEY_NAME, value: made }] });
        key = made;
      });
    },
    // A key of a session is made anew with each joining: what it belongs to is in the URL and the header x-agent-id.
    of({ origin, credential: { kind } }) {
      return { origin, credential: kind, fingerprint: serviceOf(kind) ? fingerprint(kind) : null };
    },
    change({ origin, credential, fingerprint: known }) {
      const service = serviceOf(credential);
      if (!service) return undefined;
      const now = source.origin(credential);
      const changes = [
        ...(now === origin ? [] : [`${credential}.base_url, which was ${origin} and is ${now}`]),
        ...(fingerprint(credential) === known ? [] : [`the key ${credential}.${service.secrets[0]}`]),
      ];
      return changes.length > 0 ? changes.join(", and ") : undefined;
    },
  };
}
