// A daemon that is killed, restarted, reloaded or moved between proposal, signature and execution: no decision is lost,
// nothing is sent twice, and every refusal says what it is. ROUNDS=200 vitest run test/chaos/signed-restarts.test.ts is
// the full form.

import { randomInt } from "node:crypto";
import { cpSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Answer,
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { createSigner, signerLine, writeSigners } from "../support/signers.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 6);
const [alice, bob] = [createSigner("alice"), createSigner("bob")];

/** How often each company was made. */
const sent = new Map<string, number>();
let server: Server;
let installation: Installation;
let daemon: RunningDaemon;
const env = { NEX_API_KEY: "sk-of-nobody" };

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const name = request.method === "POST" ? JSON.parse(body || "{}").attributes?.name : undefined;
      if (name !== undefined) sent.set(name, (sent.get(name) ?? 0) + 1);
      response.setHeader("content-type", "application/json").end('{"id":"1","data":[],"records":[]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a server that listens on TCP has one
  installation = install("");
  const signers = writeSigners(installation.directory, [signerLine(alice), signerLine(bob)]);
  writeFileSync(
    installation.configPath,
    `[daemon]
data_dir = "${installation.dataDir}"
log_format = "json"
[messaging]\nenabled = false\n[nexus]\nenabled = false
[nex]
base_url = "http://127.0.0.1:${port}"
api_key = { source = "env", id = "NEX_API_KEY" }
[jobs.nex-notifications]\nenabled = false
[approvals]
signers = "${signers}"
[approvals.policy]
"nex.*" = { by = "signed", signers = ["alice", "bob"], quorum = 2 }
`,
  );
  daemon = startDaemon(installation, env);
  await daemon.ready;
});

afterAll(async () => {
  await daemon?.end("SIGKILL");
  server?.close();
  server?.closeAllConnections();
  installation?.remove();
});

const start = async () => {
  daemon = startDaemon(installation, env);
  await daemon.ready;
};

/** What can happen to a daemon at any time. */
const TROUBLES: Record<string, () => Promise<void>> = {
  nothing: async () => {},
  "a SIGKILL": async () => {
    await daemon.end("SIGKILL");
    await start();
  },
  "a restart": async () => {
    await daemon.end("SIGTERM");
    await start();
  },
  "a reload": async () => {
    const { status } = await ask(installation.operatorSocket, "/v1/reload", { method: "POST", body: {} });
    expect(status).toBe(200);
  },
  "a reinstallation": async () => {
    await daemon.end("SIGTERM");
    // Its data moves to another disk and back: other files, the same content.
    const elsewhere = join(installation.directory, "moved");
    cpSync(installation.dataDir, elsewhere, { recursive: true });
    renameSync(installation.dataDir, join(installation.directory, `old-${Date.now()}`));
    renameSync(elsewhere, installation.dataDir);
    await start();
  },
};
const anyTrouble = async (): Promise<string> => {
  const names = Object.keys(TROUBLES);
  const name = names[randomInt(names.length)] ?? "nothing";
  await TROUBLES[name]?.();
  return name;
};

/** As an agent delivers a decision: sent again until there is an answer. */
async function decide(id: string, signed: object, isKilled: boolean): Promise<Answer> {
  const body = { method: "POST", body: signed };
  const first = ask(installation.agentSocket, `/v1/writes/${id}/decide`, body).catch(() => undefined);
  if (isKilled) {
    await new Promise((resolve) => setTimeout(resolve, randomInt(30)));
    await daemon.end("SIGKILL");
    await start();
  }
  return (await first) ?? (await ask(installation.agentSocket, `/v1/writes/${id}/decide`, body));
}

const writeOf = async (id: string) =>
  JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);

test(
  `${ROUNDS} times at random: nothing is lost and nothing is sent twice`,
  async () => {
    let done = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const name = `Company ${round}`;
      // One without trouble, which must succeed: it proves that the test sends at all.
      const isCalm = round === 0;
      const trouble = async () => (isCalm ? "nothing" : await anyTrouble());
      const input = { objectSlug: "company", attributes: { name } };
      const proposal = { operation: "nex.records.create", input, idempotencyKey: name };
      const proposed = await ask(installation.agentSocket, "/v1/writes", { method: "POST", body: proposal });
      const { id } = JSON.parse(proposed.text);
      const what = [await trouble()];
      const { text: statement } = await ask(installation.agentSocket, `/v1/writes/${id}/statement`);
      what.push(await trouble());
      for (const signer of [alice, bob]) {
        const signed = { statement, signature: signer.sign(statement), signer: signer.name };
        const isKilled = !isCalm && randomInt(3) === 0;
        const answer = await decide(id, signed, isKilled);
        const about = `round ${round}: ${what.join(", ")}, ${signer.name}${isKilled ? ", killed" : ""}: ${answer.text}`;
        const { code } = JSON.parse(answer.text);
        expect(answer.status === 200 || (isKilled && code === "statement_used"), about).toBe(true);
        // Whatever happened: what was signed once is not signed again.
        const again = await decide(id, { ...signed, signature: signer.sign(statement) }, false);
        expect(JSON.parse(again.text).code, about).toBe("statement_used");
        what.push(await trouble());
      }
      const write = await until(async () => {
        const now = await writeOf(id);
        return ["succeeded", "failed", "unknown"].includes(now.state) && now;
      }, "the end of the write");
      expect(write.signedBy.map(({ signer }: { signer: string }) => signer)).toEqual(["alice", "bob"]);
      // If it was killed while sending, the outcome may be unknown; it is never sent twice.
      const about = `round ${round}: ${what.join(", ")}: ${JSON.stringify(write.result)}`;
      expect(isCalm ? ["succeeded"] : ["succeeded", "unknown"], about).toContain(write.state);
      expect(sent.get(name) ?? 0, about).toBeLessThanOrEqual(1);
      if (write.state === "succeeded") expect(sent.get(name), about).toBe(1);
      done += 1;
    }
    expect(done).toBe(ROUNDS);
    const verdict = await ask(installation.operatorSocket, "/v1/audit/verify");
    expect(JSON.parse(verdict.text)).toMatchObject({ ok: true });
  },
  60 * 60_000,
);
