// Where secret references can occur in the file, and problems of their combination. The input is TOML whose other keys
// may be wrong.

import { isObject } from "../core/is-object.ts";
import { type SecretRef, secretRef } from "../core/settings.ts";
import { SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import type { SinkKind } from "../sinks/kind.ts";
import { SINK_KINDS } from "../sinks/list.ts";
import type { Problem } from "./error.ts";
import { formatPath, type TomlPath } from "./problems.ts";
import { STORE_SECRETS, storeSecretPlaces } from "./store.ts";

interface Place {
  path: TomlPath;
  /** Its owner in `ResolvedSecrets` (a service, `secretsOwner` of a sink, or the store), and the key there. */
  owner: string;
  key: string;
  /** The configured value. */
  value: unknown;
  /** Whether it is needed: its owner is enabled. */
  isUsed: boolean;
  /** The server that it is sent to, if several keys may go to the same one. */
  origin?: string;
}

/** The owner of a sink's secrets in `ResolvedSecrets`. No service has a dot in its name. */
export const secretsOwner = (sink: string): string => `sinks.${sink}`;

/** Every possible place of a secret in this file. */
export function secretPlaces(raw: unknown): Place[] {
  const root = isObject(raw) ? raw : {};
  const ofServices = SERVICES.flatMap(({ name, secrets }: ServiceModule) => {
    const table = root[name];
    if (!isObject(table)) return [];
    return secrets.map((key) => ({
      ...{ path: [name, key], owner: name, key, value: table[key] },
      isUsed: table.enabled !== false,
    }));
  });
  const ofSinks = sinkTables(raw).flatMap(({ table, path, kind }) =>
    kind.secrets.map((key) => ({
      ...{ path: [...path, key], owner: secretsOwner(String(table.name)), key, value: table[key] },
      isUsed: table[key] !== undefined,
      ...(kind.address !== null && { origin: URL.parse(String(table[kind.address]))?.origin ?? "" }),
    })),
  );
  const ofStore = storeSecretPlaces(root.store).map(({ path, key, value }) => ({
    ...{ path: ["store", ...path], owner: STORE_SECRETS, key, value },
    isUsed: isObject(root.store) && root.store.kind === "postgres",
  }));
  return [...ofStore, ...ofServices, ...ofSinks];
}

export interface Reference extends Omit<Place, "path"> {
  path: string;
  ref: SecretRef;
}

/** The valid references of everything that is enabled. */
export const references = (raw: unknown): Reference[] =>
  secretPlaces(raw).flatMap((place) => {
    const ref = secretRef.safeParse(place.value);
    return ref.success && place.isUsed ? [{ ...place, path: formatPath(place.path), ref: ref.data }] : [];
  });

/** Problems of the references in combination. */
export const referenceProblems = (raw: unknown): Problem[] => [...sharedReferences(raw), ...passedOn(raw)];

/** A credential belongs to one origin, so two keys cannot refer to the same one, unless both send it there. */
function sharedReferences(raw: unknown): Problem[] {
  const first = new Map<string, Reference>();
  return references(raw).flatMap((reference) => {
    const { path, ref, origin } = reference;
    const identity = JSON.stringify([ref.source, ref.id]);
    const other = first.get(identity);
    first.set(identity, other ?? reference);
    if (other === undefined || (origin !== undefined && origin === other.origin)) return [];
    const message = `must not refer to the same secret as ${other.path}: each key is a secret of its own`;
    return [{ path, message }];
  });
}

/** A command must not get a secret through its environment. */
function passedOn(raw: unknown): Problem[] {
  const secrets = references(raw).filter(({ ref }) => ref.source === "env");
  return sinkTables(raw).flatMap(({ table, path, kind }) => {
    const passed = new Set(kind.passesOn?.(table));
    return secrets
      .filter(({ ref }) => passed.has(ref.id))
      .map((secret) => ({
        path: formatPath(path),
        message: `must not pass on the variable that holds the secret of ${secret.path}`,
      }));
  });
}

/** The tables of sinks of a known kind. */
function sinkTables(raw: unknown): { table: Record<string, unknown>; path: TomlPath; kind: SinkKind }[] {
  const sinks = isObject(raw) && Array.isArray(raw.sinks) ? raw.sinks : [];
  return sinks.flatMap((table: unknown, index) => {
    const kind = SINK_KINDS.find(({ name }) => isObject(table) && name === table.kind);
    return isObject(table) && kind ? [{ table, path: ["sinks", index], kind }] : [];
  });
}
