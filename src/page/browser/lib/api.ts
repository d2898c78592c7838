// Requests to the daemon, through the server that this page came from.

import { tabHeaders } from "../tab.ts";

/** Well above the time of any answer. */
const DEADLINE_MS = 15_000;

/** A refusal of the daemon or of the page's server, in its own words. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The daemon made the JSON answer, so it has the type that the contract gives for its path. */
export const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  parse<T>(await getText(path, signal));

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  const answer = await fetch(path, { headers: tabHeaders(), signal: deadline(signal) });
  return (await checked(answer)).text();
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const answer = await fetch(path, {
    method: "POST",
    headers: { ...tabHeaders(), "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: deadline(),
  });
  return parse<T>(await (await checked(answer)).text());
}

/** Without a deadline: a stream does not end. @throws Refused; TypeError if there is no answer */
export const open = async (path: string, signal: AbortSignal): Promise<Response> =>
  checked(await fetch(path, { headers: { ...tabHeaders(), accept: "text/event-stream" }, signal }));

/** Describes any error of a request to a person. */
export function wordsOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (error instanceof DOMException && error.name === "TimeoutError") return "nexusd did not answer in time.";
  if (error instanceof TypeError)
    return "The page's server cannot be reached. Is nexusctl page still running?";
  return error instanceof Error ? error.message : String(error);
}

const deadline = (signal?: AbortSignal): AbortSignal => {
  const timeout = AbortSignal.timeout(DEADLINE_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
};

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  throw refusalIn(text) ?? new Refused(answer.status, "unknown", `The answer was ${answer.status}.`);

  function refusalIn(json: string): Refused | undefined {
    try {
      const { code = "unknown", title = "", detail = "", errors = [] } = parse<Problem>(json);
      const fields = errors.map(({ path, message }) => `${path} ${message}`).join("; ");
      const words = [title && `${title}.`, detail, fields].filter(Boolean).join(" ");
      return new Refused(answer.status, code, words || `The answer was ${answer.status}.`);
    } catch {
      return undefined;
    }
  }
}

interface Problem {
  code?: string;
  title?: string;
  detail?: string;
  errors?: { path: string; message: string }[];
}

const parse = <T>(json: string): T => JSON.parse(json) as T; // see `get`
