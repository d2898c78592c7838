// The key of the fingerprints of accounts, which all nodes of a fleet share.

import { expect, test } from "vitest";
import { createAccounts } from "../../src/writes/accounts.ts";
import { createFakeFleet } from "../support/fake-fleet.ts";
import { openTestStore } from "../support/store.ts";

test("nodes that start at once on a new database see the same account", async () => {
  const store = await openTestStore();
  const fleet = createFakeFleet();
  const nodes = ["a", "b", "c"].map((node) =>
    createAccounts(fleet.storeOf(node, store), {
      origin: () => "https://nexus.example",
      secret: () => "the key of the account",
    }),
  );
  await Promise.all(nodes.map((accounts) => accounts.load()));
  const seen = nodes.map((accounts) =>
    accounts.of({ origin: "https://nexus.example", credential: { kind: "nexus", headers: {} } }),
  );
  expect(new Set(seen.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  expect(seen[0]?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
});
