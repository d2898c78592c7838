// A description of Nex's API (OpenAPI 3.0), taken strictly: what it does not name is not part of it.

import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import { stringifyJson } from "../../../src/core/exact-json.ts";

interface Parameter {
  in: "path" | "query";
  name: string;
  required?: boolean;
  schema: { type: string };
}

interface DescribedOperation {
  parameters?: Parameter[];
  requestBody?: { required?: boolean };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

export interface Description {
  /** Every operation as `METHOD /path/{name}`. */
  operations: Map<string, DescribedOperation>;
  /** The operation that a request belongs to, with the values in its path. */
  find(method: string, path: string): { call: string; values: Record<string, string> } | undefined;
  /** The faults in a request's parameters and body; empty if it is as described. */
  requestProblems(
    call: string,
    request: { values: Record<string, string>; query: URLSearchParams; body: unknown },
  ): string[];
  /** The faults in an answer. `body` undefined: it has none. */
  answerProblems(call: string, answer: { status: number; contentType: string; body: unknown }): string[];
}

const FORMATS = {
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  double: true as const,
  float: true as const,
};

export function readDescription(file: string): Description {
  // The file's own contract is OpenAPI; what of it is used here is typed above.
  const document = strict(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"))) as {
    paths: Record<string, Record<string, DescribedOperation>>;
  };
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  ajv.addSchema(document, "nex");
  const operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  );
  const at = (...path: string[]): ValidateFunction => {
    const pointer = path.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")));
    return ajv.compile({ $ref: `nex#/${pointer.join("/")}` });
  };
  const problemsOf = (validate: ValidateFunction, value: unknown): string[] =>
    validate(readable(value))
      ? []
      : (validate.errors ?? []).map(
          ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
        );
  const place = (call: string) => {
    const [method = "", path = ""] = call.split(" ");
    return ["paths", path, method.toLowerCase()];
  };
  const operation = (call: string): DescribedOperation => {
    const found = operations.get(call);
    if (!found) throw new Error(`${call} is not described`);
    return found;
  };

  return {
    operations,
    find(method, path) {
      for (const call of operations.keys()) {
        const [wanted, template = ""] = call.split(" ");
        const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
        const match = new RegExp(`^${template.replace(/\{\w+\}/g, "([^/]+)")}$`).exec(path);
        if (wanted !== method || !match) continue;
        const values = names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? "")]);
        return { call, values: Object.fromEntries(values) };
      }
      return undefined;
    },
    requestProblems(call, { values, query, body }) {
      const { parameters = [], requestBody } = operation(call);
      const named = parameters.flatMap(({ in: where, name, required, schema }, index) => {
        const text = where === "path" ? values[name] : query.get(name);
        if (text === undefined || text === null) return required ? [`${name} is missing`] : [];
        const validate = at(...place(call), "parameters", String(index), "schema");
        return problemsOf(validate, typed(text, schema)).map((problem) => `${name}${problem}`);
      });
      const unknown = [...query.keys()].filter((name) => !parameters.some((one) => one.name === name));
      const problems = [...named, ...unknown.map((name) => `${name} is not described`)];
      if (requestBody === undefined) return body === undefined ? problems : [...problems, "has a body"];
      if (body === undefined) return requestBody.required ? [...problems, "has no body"] : problems;
      return [
        ...problems,
        ...problemsOf(at(...place(call), "requestBody", "content", "application/json", "schema"), body),
      ];
    },
    answerProblems(call, { status, contentType, body }) {
      const described = operation(call).responses[String(status)];
      if (!described) return [`${status} is not described`];
      if (described.content === undefined) return body === undefined ? [] : ["has a body"];
      const [type = ""] = contentType.split(";");
      if (!(type in described.content)) return [`${type} is not described`];
      return problemsOf(at(...place(call), "responses", String(status), "content", type, "schema"), body);
    },
  };
}

/** A parameter as a value of its declared type: in a path or a query every value is a string. */
const typed = (text: string, { type }: Parameter["schema"]): unknown => {
  if (type === "integer" && /^-?\d+$/.test(text)) return Number(text);
  return type === "boolean" && (text === "true" || text === "false") ? text === "true" : text;
};

/** With integers above 2^53 as numbers: only their being integers is checked here, their digits elsewhere. */
const readable = (value: unknown): unknown => JSON.parse(stringifyJson(value ?? null));

/** Objects with named properties have no others, unless it says so. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, part]) => [key, key === "example" ? part : strict(part)]),
  );
  // Not if "properties" is itself the name of a property.
  const isObject = copy.type === "object" && typeof copy.properties === "object";
  return isObject && !("additionalProperties" in copy) ? { ...copy, additionalProperties: false } : copy;
}
