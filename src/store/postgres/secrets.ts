// The stored session keys and tokens: encrypted with the keyring, which can change while the store is open.

import type { Connection } from "./connection.ts";
import { postgresError } from "./errors.ts";
import { createKeyring, type Keyring } from "./keyring.ts";
import type { Transaction } from "./transaction.ts";
import type { ReadUnit, WriteUnit } from "./units.ts";

const AT_ONCE = 100;

const otherKey = (place: string) =>
  postgresError("unusable", place, "what is stored in it is encrypted under another key", {
    remedy: "name that key in [store] encryption_key, behind the one that shall replace it",
  });

/**
 * Checks that one of the keys belongs to the database; a new database gets the first one.
 * @returns how many secrets they decrypt
 * @throws StoreError `unusable`
 */
export async function checkKeys(
  connection: Connection,
  keyring: Keyring,
  place: string,
  { isReadOnly = false } = {},
): Promise<number> {
  if (!isReadOnly)
    await connection.query("INSERT INTO meta (key, value) VALUES ('key_check', $1) ON CONFLICT DO NOTHING", [
      keyring.encrypt("key_check", "nexusd"),
    ]);
  const [row] = await connection.query<{ value: string }>("SELECT value FROM meta WHERE key = 'key_check'");
  if (!row || opened(keyring, "key_check", row.value) === undefined) throw otherKey(place);
  const all = await connection.query<{ name: string; value: string }>("SELECT name, value FROM secrets");
  for (const { name, value } of all) if (opened(keyring, name, value) === undefined) throw otherKey(place);
  return all.length;
}

/** undefined if no key fits, or if the value was not stored under this name. */
function opened(keyring: Keyring, name: string, stored: string): string | undefined {
  try {
    return keyring.decrypt(name, stored);
  } catch {
    return undefined;
  }
}

export interface SecretStore {
  read(name: string): Promise<string | undefined>;
  /** null removes it. */
  put(transaction: Transaction, name: string, value: string | null): Promise<void>;
  /** Re-encrypts with the first key what was encrypted with another one, in small transactions. @returns how many */
  renew(): Promise<number>;
  /** From now on the first key encrypts. @throws StoreError `unusable` if none belongs to the database */
  setKeys(keys: readonly Buffer[]): Promise<void>;
}

export function createSecretStore(parts: {
  keys: readonly Buffer[];
  place: string;
  read: ReadUnit;
  write: WriteUnit;
  /** Tells the other nodes which keys this one has now. @throws StoreError if one of them could not read with them */
  announce(transaction: Transaction, ids: readonly string[]): Promise<void>;
}): SecretStore {
  const { place, read, write, announce } = parts;
  let keyring = createKeyring(parts.keys);

  const renewSome = (after: string) =>
    write(async (transaction) => {
      const rows = await transaction.query<{ table: string; name: string; value: string }>(
        "SELECT name, value FROM secrets WHERE name > $1 ORDER BY name LIMIT $2",
        [after, AT_ONCE],
      );
      let renewed = 0;
      for (const { name, value } of rows) {
        if (keyring.isCurrent(value)) continue;
        const plain = opened(keyring, name, value);
        if (plain === undefined) throw otherKey(place);
        await transaction.run("UPDATE secrets SET value = $2 WHERE name = $1", [
          name,
          keyring.encrypt(name, plain),
        ]);
        renewed += 1;
      }
      return { renewed, last: rows.length === AT_ONCE ? rows.at(-1)?.name : undefined };
    });

  const renew = async () => {
    let total = 0;
    for (let after: string | undefined = ""; after !== undefined; ) {
      const { renewed, last }: { renewed: number; last: string | undefined } = await renewSome(after);
      total += renewed;
      after = last;
    }
    // Last: as long as this uses an earlier key, a secret may, too.
    await write(async (transaction) => {
      const row = await transaction.one<{ value: string }>("SELECT value FROM meta WHERE key = 'key_check'");
      if (row && !keyring.isCurrent(row.value))
        await transaction.run("UPDATE meta SET value = $1 WHERE key = 'key_check'", [
          keyring.encrypt("key_check", "nexusd"),
        ]);
    });
    return total;
  };

  return {
    read: (name) =>
      read(async (on) => {
        const [row] = await on.query<{ value: string }>("SELECT value FROM secrets WHERE name = $1", [name]);
        if (!row) return undefined;
        const value = opened(keyring, name, row.value);
        if (value === undefined) throw otherKey(place);
        return value;
      }),
    put: async (transaction, name, value) => {
      if (value === null) {
        await transaction.run("DELETE FROM secrets WHERE name = $1", [name]);
        return;
      }
      const row = await transaction.one<{ value: string }>("SELECT value FROM secrets WHERE name = $1", [
        name,
      ]);
      if (row && keyring.isCurrent(row.value) && opened(keyring, name, row.value) === value) return;
      await transaction.run(
        "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, keyring.encrypt(name, value)],
      );
    },
    renew,
    setKeys: async (keys) => {
      const next = createKeyring(keys);
      await read((on) => checkKeys(on, next, place, { isReadOnly: true }));
      await write((transaction) => announce(transaction, next.ids));
      keyring = next;
      await renew();
    },
  };
}
