// Every text of every write that leaves the machine is scanned before it is stored.

import { expect, test } from "vitest";
import { WriteError } from "../../src/contract/writes.ts";
import { catalogue } from "../../src/services/catalogue.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { samples } from "../services/operations/samples.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { TOKENS } from "../support/secret-formats.ts";
import { temporaryDirectory } from "../support/store.ts";
import { realWritePath, SESSION_ALIAS } from "../support/write-path.ts";

test("no write with a secret in one of its texts is stored", async () => {
  const clock = createFakeClock();
  const store = await openStore({ dataDir: await temporaryDirectory(), clock });
  const { writes } = realWritePath({ store, clock });
  const secret = TOKENS.npm?.() ?? "";
  const refused: string[] = [];
  for (const { name, effect, request } of catalogue.all()) {
    if (effect !== "write" || !request) continue;
    const sample = { ...samples[name] };
    delete sample.server;
    if ("session" in sample) sample.session = SESSION_ALIAS;
    for (const [field, value] of Object.entries(sample)) {
      const planted =
        typeof value === "string"
          ? `${value} ${secret}`
          : typeof value === "object"
            ? { ...value, name: secret }
            : value;
      if (planted === value) continue;
      const input = { ...sample, [field]: planted };
      const error: unknown = await writes
        .propose({ operation: name, input }, { via: "agent.sock", user: null })
        .then(
          () => new Error(`${name} was taken with a secret in ${field}`),
          (error: unknown) => error,
        );
      if (!(error instanceof Error) || /was taken/.test(error.message)) throw error;
      expect(error.message).not.toContain(secret);
      if (error instanceof WriteError && error.code === "secret_in_text") refused.push(`${name} ${field}`);
    }
  }
  expect(await store.readWrites({ limit: 10 })).toEqual([]);
  expect(refused).toEqual(
    expect.arrayContaining([
      ...[
        "messaging.messages.send text",
        "messaging.sessions.create greeting",
        "nex.context.add_text content",
      ],
      ...["nex.tasks.create title", "nex.notes.create content", "nex.records.create attributes"],
      ...["nexus.customers.create notes", "nexus.whatsapp.send_message message"],
    ]),
  );
  await store.close();
});
