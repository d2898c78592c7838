// [store]: where the log is kept.

import { hostname } from "node:os";
import { z } from "zod";
import { isObject } from "../core/is-object.ts";
import { secretRef } from "../core/settings.ts";
import { parseKey } from "../store/postgres/keyring.ts";
import type { Config } from "./schema.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** The owner of its secrets in `ResolvedSecrets`. */
export const STORE_SECRETS = "store";

const NAME = /^[a-z_][a-z0-9_]{0,47}$/;

export const storeSettings = z
  .strictObject({
    kind: z.enum(["sqlite", "postgres"], { error: 'must be "sqlite" or "postgres"' }).default("sqlite"),
    url: secretRef.optional(),
    schema: z
      .string()
      .regex(NAME, "must be a name of lower case letters, digits and _, at most 48 characters")
      .default("nexusd"),
    encryption_key: z
      .union([secretRef, z.array(secretRef).min(1, "must name a key")], {
        error: "must be a reference to a secret, or a list of them",
      })
      .optional(),
  })
  .superRefine((store, context) => {
    if (store.kind !== "postgres") return;
    const form = '{ source = "env", id = "NAME" }';
    for (const key of ["url", "encryption_key"] as const)
      if (store[key] === undefined)
        context.addIssue({
          code: "custom",
          path: [key],
          input: undefined,
          message: `is missing: add a reference such as ${form}, which kind = "postgres" needs`,
        });
  });

/** The places of secrets in this table, and their keys in `ResolvedSecrets`. @param table as in the file */
export function storeSecretPlaces(
  table: unknown,
): { path: (string | number)[]; key: string; value: unknown }[] {
  if (!isObject(table)) return [];
  const { url, encryption_key: keys } = table;
  const ofKeys = Array.isArray(keys)
    ? keys.map((value: unknown, at) => ({ path: ["encryption_key", at], key: keyName(at), value }))
    : [{ path: ["encryption_key"], key: keyName(0), value: keys }];
  return [{ path: ["url"], key: "url", value: url }, ...ofKeys];
}

const keyName = (at: number) => `encryption_key.${at}`;

/** The keys in the order of the file: the first encrypts. Undefined if one is not a key of 32 bytes. */
export function encryptionKeys(secrets: ResolvedSecrets): Buffer[] | undefined {
  const own = secrets[STORE_SECRETS] ?? {};
  const keys: Buffer[] = [];
  for (let at = 0; ; at++) {
    const secret = own[keyName(at)];
    if (!secret) return keys;
    const key = parseKey(secret.reveal());
    if (!key) return undefined;
    keys.push(key);
  }
}

/** The name of this node, which distinguishes it in a fleet. */
export const nodeName = (config: Pick<Config, "daemon">): string =>
  config.daemon.node ??
  (hostname()
    .replaceAll(/[^\w.-]/g, "-")
    .slice(0, 63) ||
    "nexusd");
