// From the name of an operation and an untrusted input to the operation's parsed input.

import { z } from "zod";
import { WriteError } from "../contract/writes.ts";
import { parseJson } from "../core/exact-json.ts";
import { placesOfIssues, type WrongPlace, type WrongPlaces, wrongPlaces } from "../core/text/wrong-places.ts";
import type { Catalogue } from "../services/catalogue.ts";
import type { Operation } from "../services/operation.ts";

export type OperationCatalogue = Pick<Catalogue, "get" | "near" | "refresh"> &
  Partial<Pick<Catalogue, "lookAgain">>;

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

/**
 * @param mostErrors at most this many places are named
 * @throws WriteError `invalid_input` with the path of each invalid field
 */
export function validInput(operation: Operation, input: unknown, mostErrors: number): unknown {
  const result = operation.input.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  throw refusedInput(
    placesOfIssues(result.error.issues, mostErrors, { unknownField: "is not a field here", of: toPlace }),
    operation.name,
  );
}

export const invalidInput = (place: WrongPlace, operation: string): WriteError =>
  refusedInput(wrongPlaces([place], 1), operation);

const refusedInput = ({ places, text }: WrongPlaces, operation: string): WriteError =>
  new WriteError("invalid_input", `${operation} does not take this input: ${text}`, { errors: places });

function toPlace(issue: z.core.$ZodIssue): WrongPlace {
  const isMissing = issue.code === "invalid_type" && issue.input === undefined;
  return { path: z.core.toDotPath(issue.path), message: isMissing ? "is missing" : issue.message };
}

/** What the stored bytes of a write say. */
export const storedRequest = (request: string): { operation?: unknown; input?: unknown } =>
  // Written by canonicalJson from an object with these members.
  parseJson(request) as { operation?: unknown; input?: unknown };
