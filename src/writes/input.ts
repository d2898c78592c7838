// From the name of an operation and an input of unknown origin to what the operation takes.

import { z } from "zod";
import { parseJson } from "../http/json.ts";
import type { Catalogue } from "../services/catalogue.ts";
import type { Operation } from "../services/operation.ts";
import { WriteError } from "./types.ts";

export type OperationCatalogue = Pick<Catalogue, "get" | "near" | "refresh">;

/** @throws WriteError `operation_not_found`, with the names that were probably meant */
export function findOperation(catalogue: OperationCatalogue, name: string): Operation {
  const operation = catalogue.get(name);
  if (operation) return operation;
  const meant = catalogue.near(name);
  const hint =
    meant.length > 0
      ? `did you mean ${meant.map((candidate) => `"${candidate}"`).join(" or ")}?`
      : "GET /v1/operations (nexusctl operations) lists them.";
  throw new WriteError("operation_not_found", `There is no operation ${shortened(name)}: ${hint}`);
}

const LONGEST_SHOWN = 80;
const shortened = (name: string) =>
  JSON.stringify(name.length > LONGEST_SHOWN ? `${name.slice(0, LONGEST_SHOWN)}…` : name);

/** @throws WriteError `invalid_input` with the path of each field that is not as the operation wants it */
export function validInput(operation: Operation, input: unknown): unknown {
  const result = operation.input.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  throw invalidInput(result.error.issues.flatMap(toErrors), operation.name);
}

export function invalidInput(errors: { path: string; message: string }[], operation: string): WriteError {
  const what = errors.map(({ path, message }) => (path === "" ? message : `${path} ${message}`)).join("; ");
  return new WriteError("invalid_input", `${operation} does not take this input: ${what}`, { errors });
}

function toErrors(issue: z.core.$ZodIssue): { path: string; message: string }[] {
  const path = z.core.toDotPath(issue.path);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: z.core.toDotPath([...issue.path, key]),
      message: "is not a field here",
    }));
  const isMissing = issue.code === "invalid_type" && issue.input === undefined;
  return [{ path, message: isMissing ? "is missing" : issue.message }];
}

/** What the stored bytes of a write say. */
export const storedRequest = (request: string): { operation?: unknown; input?: unknown } =>
  // Written by canonicalJson from an object with these members.
  parseJson(request) as { operation?: unknown; input?: unknown };
