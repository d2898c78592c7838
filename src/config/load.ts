// Finds, reads and checks the configuration file, and reports all its problems at once.

import { readFileSync, statSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { explain } from "../core/explain-issue.ts";
import { createRedactor } from "../core/redaction.ts";
import { secretRef } from "../core/settings.ts";
import { settingsOf } from "../services/config.ts";
import { SERVICES } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import { ConfigError, type Problem } from "./error.ts";
import { whyUnreadable } from "./find.ts";
import { placeProblems } from "./places.ts";
import { formatPath, isKnownKey, shownValue, type TomlPath, unknownKey } from "./problems.ts";
import { referenceProblems, references, secretPlaces } from "./references.ts";
import { type Config, configSchema } from "./schema.ts";
import {
  allSecrets,
  type Env,
  isReadableByOthers,
  OUTSIDE_OF_THE_UNIT,
  octal,
  type ResolvedSecrets,
  resolveSecret,
  SecretError,
} from "./secrets.ts";
import { signerProblems, signersFileProblem } from "./signers.ts";
import { sinkTypeProblems } from "./sink-types.ts";
import { socketProblems } from "./sockets.ts";
import { encryptionKeys } from "./store.ts";

const MAX_BYTES = 1_048_576;

export interface LoadOptions {
  path: string;
  env: Env;
  /** `false`: secrets are not looked up, for callers that only need paths. */
  resolveSecrets?: boolean;
}

export interface LoadedConfig {
  config: Config;
  path: string;
  secrets: ResolvedSecrets;
  /** What works but should be fixed, such as a secret that others can read. */
  warnings: Problem[];
}

/** @throws ConfigError with every problem of the file */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { config, secrets, problems, warnings } = inspect(options, []);
  if (config === undefined || problems.length > 0) throw new ConfigError(options.path, problems);
  return { config, path: options.path, secrets, warnings };
}

export interface Inspection {
  /** Undefined if it does not match the schema. */
  config: Config | undefined;
  secrets: ResolvedSecrets;
  problems: Problem[];
  warnings: Problem[];
  /** What cannot be checked here and is not an error: a credential, which systemd passes to the unit only. */
  notes: Problem[];
  /** `[jobs] directory`, even if the rest of the file is wrong. */
  jobsDirectory: string | undefined;
}

/**
 * All problems of a configuration file, including obstacles at the paths of nexusd's own files (which a daemon finds at
 * startup). Never throws for the file's content.
 */
export function inspectConfig(options: LoadOptions): Inspection {
  const inspection = inspect(options, [placeProblems]);
  const ofSigners = inspection.config && signersFileProblem(inspection.config);
  if (ofSigners) inspection.problems.push(ofSigners);
  if (options.env.CREDENTIALS_DIRECTORY) return inspection;
  const isNote = ({ message }: Problem) => message === OUTSIDE_OF_THE_UNIT;
  const notes = inspection.problems.filter(isNote).map((problem) => ({
    ...problem,
    message: "is a credential, which only the unit is given: not looked at here",
  }));
  return { ...inspection, problems: inspection.problems.filter((problem) => !isNote(problem)), notes };
}

function inspect(
  { path, env, resolveSecrets = true }: LoadOptions,
  furtherChecks: (typeof socketProblems)[],
): Inspection {
  const inspection: Inspection = {
    config: undefined,
    secrets: {},
    problems: [],
    warnings: [],
    notes: [],
    jobsDirectory: undefined,
  };
  const raw = readToml(path);
  if ("problem" in raw) return { ...inspection, problems: [raw.problem] };

  const parsed = configSchema.safeParse(raw.toml, { error: explain, reportInput: true });
  inspection.config = parsed.data;
  inspection.problems = [
    ...(parsed.error?.issues ?? []).flatMap(toProblems),
    ...[socketProblems, ...furtherChecks].flatMap((check) =>
      check(socketKeys(raw.toml)).map(({ path, value, message }) => ({
        path: formatPath(path),
        ...optionalValue(shownValue(path, value)),
        message,
      })),
    ),
    ...referenceProblems(raw.toml),
    ...unknownJobs(raw.toml),
  ];
  if (inspection.config) inspection.problems.push(...signerProblems(inspection.config));
  if (inspection.config) inspection.warnings.push(...exposedSecrets(inspection.config, raw.mode));
  if (resolveSecrets) resolveAll(raw.toml, env, inspection);
  inspection.jobsDirectory = leaf(raw.toml, ["jobs", "directory"]);
  // With a directory, its jobs have to be known first: own-settings.ts.
  if (inspection.config && inspection.jobsDirectory === undefined)
    inspection.problems.push(...sinkTypeProblems(inspection.config, []));

  return withoutLiterals(raw.toml, inspection);
}

function readToml(path: string): { toml: unknown; mode: number } | { problem: Problem } {
  let bytes: Buffer;
  let mode: number;
  try {
    const stat = statSync(path);
    mode = stat.mode;
    if (stat.size > MAX_BYTES) return { problem: { path: "", message: `is larger than ${MAX_BYTES} bytes` } };
    bytes = readFileSync(path);
  } catch (error) {
    return { problem: { path: "", message: whyUnreadable(error) } };
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { toml: parse(text, { unsafeKeyBehaviour: "throw" }), mode };
  } catch (error) {
    if (!(error instanceof TomlError))
      return { problem: { path: "", message: "must be a TOML file in UTF-8" } };
    // The message continues with the source, which may contain a secret.
    const what = (error.message.split("\n", 1)[0] ?? "").replace("Invalid TOML document: ", "");
    const remedy = what === "invalid value" ? " (text must be in quotes)" : "";
    return {
      problem: {
        path: "",
        line: error.line,
        message: `is not TOML: ${what}${remedy}, column ${error.column}`,
      },
    };
  }
}

const optionalValue = (value: string | undefined) => (value === undefined ? {} : { value });

function toProblems(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  // The value of an unknown key is not shown: it may be a secret under a wrong name.
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: formatPath([...path, key]),
      message: unknownKey(path, key, issue.input),
    }));
  // For a table of an unknown kind, the input is the table.
  const isOfKind = issue.code === "invalid_union" && "discriminator" in issue;
  const input = isOfKind ? at(issue.input, path.slice(-1)) : issue.input;
  return [{ path: formatPath(path), ...optionalValue(shownValue(path, input)), message: issue.message }];
}

const at = (raw: unknown, path: TomlPath): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key] // any own key of an object may be read
        : undefined,
    raw,
  );

/** Without a jobs directory, all tables are nexusd's. With one, its jobs have to be known first: own-settings.ts. */
function unknownJobs(raw: unknown): Problem[] {
  const tables = at(raw, ["jobs"]);
  if (typeof tables !== "object" || tables === null || Object.hasOwn(tables, "directory")) return [];
  return Object.keys(tables)
    .filter((key) => !isKnownKey(["jobs"], key))
    .map((key) => ({ path: formatPath(["jobs", key]), message: unknownKey(["jobs"], key) }));
}

/** The text at a path, if it is a non-empty string: for checks that continue although other keys are wrong. */
const leaf = (raw: unknown, path: TomlPath): string | undefined => {
  const value = at(raw, path);
  return typeof value === "string" && value !== "" ? value : undefined;
};

function socketKeys(raw: unknown): Parameters<typeof socketProblems>[0] {
  const agent = leaf(raw, ["control", "agent_socket"]);
  const operator = leaf(raw, ["control", "operator_socket"]);
  return {
    daemon: { data_dir: leaf(raw, ["daemon", "data_dir"]) ?? "data" },
    control: {
      ...(agent === undefined ? {} : { agent_socket: agent }),
      ...(operator === undefined ? {} : { operator_socket: operator }),
    },
  };
}

/** Secrets in the file itself, which must not be readable by others. */
function exposedSecrets(config: Config, mode: number): Problem[] {
  if (!isReadableByOthers(mode)) return [];
  return SERVICES.flatMap(({ name, secretIn }: ServiceModule) => {
    const key = secretIn(settingsOf(config, name));
    if (key === null) return [];
    const message = `contains secrets, and others can read this file (mode ${octal(mode)}): chmod 600`;
    return [{ path: `${name}.${key}`, message }];
  });
}

function resolveAll(raw: unknown, env: Env, inspection: Inspection): void {
  const { problems, warnings } = inspection;
  for (const { path, owner, key, ref } of references(raw))
    try {
      const secret = resolveSecret(ref, env, (message) => warnings.push({ path, message }));
      const { secrets } = inspection;
      inspection.secrets = { ...secrets, [owner]: { ...secrets[owner], [key]: secret } };
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      problems.push({ path, message: error.message });
    }
  if (encryptionKeys(inspection.secrets) === undefined)
    problems.push({
      path: "store.encryption_key",
      message: "must be 32 bytes in base64 or hexadecimal, such as: openssl rand -base64 32",
    });
}

// A shorter literal would more likely match ordinary words than be a secret.
const SHORTEST_LITERAL = 8;

/** Removes secrets from what will be shown: resolved ones, and literals written into the file by mistake. */
function withoutLiterals(raw: unknown, inspection: Inspection): Inspection {
  const redactor = createRedactor();
  const addAll = (value: unknown): void => {
    if (typeof value === "string" && value.length >= SHORTEST_LITERAL) redactor.add(value);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(addAll);
  };
  for (const { value } of secretPlaces(raw)) if (!secretRef.safeParse(value).success) addAll(value);
  for (const secret of allSecrets(inspection.secrets)) addAll(secret.reveal());
  const clean = (problem: Problem): Problem => ({
    ...problem,
    path: redactor.scrub(problem.path),
    message: redactor.scrub(problem.message),
    ...optionalValue(problem.value === undefined ? undefined : redactor.scrub(problem.value)),
  });
  return {
    ...inspection,
    problems: inspection.problems.map(clean),
    warnings: inspection.warnings.map(clean),
  };
}
