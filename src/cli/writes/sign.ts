// nexusctl writes sign: shows a write in full, asks the person, and signs the statement of exactly what was shown.

import { answerOf } from "../../client/request.ts";
import type { ShownWrite } from "../../contract/api/writes.ts";
import type { Decision } from "../../contract/signing.ts";
import { SignatureError } from "../../signatures/error.ts";
import { signWithKey } from "../../signatures/keygen.ts";
import { NAMESPACE } from "../../signatures/sshsig.ts";
import { readStatement, renderStatement, STATEMENT_VERSION } from "../../writes/statement.ts";
import type { CliContext } from "../context.ts";
import { Failed, Reported, WrongUsage } from "../problem.ts";
import { ask } from "../terminal/line-editor.ts";
import { showWhole } from "./approve.ts";
import { noteFingerprint } from "./fingerprint.ts";
import { checkDigest, stateOf } from "./preview-view.ts";
import { printDecided } from "./signing.ts";
import { wholeId } from "./write-id.ts";

export interface SignOptions {
  key: string;
  decision: Decision;
  decide?: boolean;
  signer?: string;
  digest?: string;
  yes?: boolean;
}

/**
 * Asks at a terminal; without one, only with `--yes --digest`.
 * @throws WrongUsage, Failed; Reported if the person declined
 */
export async function sign(context: CliContext, given: string, options: SignOptions): Promise<void> {
  const { client, io, output } = context;
  const { key, decision, signer } = options;
  const tty = output.isHuman ? io.tty : undefined;
  if (options.decide && signer === undefined)
    throw new WrongUsage("--decide needs --signer: your name in the daemon's file of signers.");
  if (options.yes && options.digest === undefined)
    throw new WrongUsage("--yes needs --digest: the digest of what you reviewed.");
  if (!options.yes && !tty)
    throw new WrongUsage(
      "There is no terminal to ask on: give --yes and --digest DIGEST. nexusctl writes show ID shows the digest.",
    );

  const { write, statement } = await fetchStatement(context, given, decision);
  if (options.digest !== undefined && options.digest !== write.digest)
    throw notSigned("The digest of this write is not the one given with --digest.", "digest_mismatch");
  if (tty && !options.yes) {
    await showWhole(context, write);
    await noteFingerprint(output, statement);
    const answer = await ask(tty, `Sign "${decision}" for this write? [y/N] `, io.signal);
    if (!/^\s*y(es)?\s*$/i.test(answer ?? "")) {
      output.note(`not signed; ${write.id} is unchanged`);
      throw new Reported("not signed");
    }
  }

  const signature = await signWithKey(statement, key, NAMESPACE, io.env).catch((error: unknown) => {
    if (!(error instanceof SignatureError)) throw error;
    throw notSigned(error.message, error.code);
  });
  if (options.decide && signer !== undefined) {
    const decided = await client.writes.decide(
      write.id,
      { statement, signature, signer },
      { signal: io.signal },
    );
    return await printDecided(context, decided);
  }
  if (output.isHuman) await output.exactly(signature);
  else await output.json(JSON.stringify({ writeId: write.id, decision, statement, signature }));
}

/**
 * The write and its statement, which must match the one that this nexusctl derives from the write: nothing between it
 * and the database can make it sign a text other than what is shown.
 * @throws Failed
 */
async function fetchStatement(
  context: CliContext,
  given: string,
  decision: Decision,
): Promise<{ write: ShownWrite; statement: string }> {
  const { client, io } = context;
  const id = await wholeId(context, given, "beginning", "agent");
  const write = await client.writes.get(id, { signal: io.signal });
  checkDigest(write);
  if (write.state !== "proposed")
    throw new Failed({
      title: "Nothing to decide",
      detail: `There is nothing to sign: write ${write.id} is ${stateOf(write)}.`,
      code: write.state === "expired" ? "write_expired" : "write_already_decided",
    });
  const statement = await client.writes.statement(write.id, decision, { signal: io.signal });
  const version = readStatement(statement)?.version;
  if (version !== undefined && version !== STATEMENT_VERSION)
    throw notSigned(
      `The daemon makes statements of version ${version}, but this nexusctl knows version ${STATEMENT_VERSION}.`,
      "statement_version",
    );
  const epoch = answerOf(write).epoch ?? "";
  if (statement !== renderStatement(write, epoch, decision))
    throw notSigned(
      "The statement does not match the write that was shown: one of the two was changed. Do not sign it.",
      "statement_mismatch",
    );
  // Loaded only here: it brings in the operations of all services.
  const { readBundle, bundleText, checkBundle } = await import("../../writes/statement-bundle.ts");
  const bundle = readBundle(bundleText({ write, epoch, decision, statement }));
  const lie = bundle && checkBundle(bundle).find(({ ok }) => ok === false);
  if (lie) throw notSigned(`${lie.check}: ${lie.detail}.`, "statement_mismatch");
  return { write, statement };
}

const notSigned = (detail: string, code: string) =>
  new Failed({ title: "Nothing was signed", detail: `${detail} Nothing was signed.`, code });
