// The client of nexusd as a `fetch`, so that postgrest-js can be asked the same questions.

import type { HttpClient, Method } from "../../src/http/client.ts";

const METHODS: ReadonlySet<string> = new Set<Method>(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]);
const BODILESS = new Set([204, 205]);

/**
 * A `fetch` whose Responses are complete 2xx answers, and that throws the client's HttpError for all else: a library
 * then has no error body to misread (postgrest-js takes an empty 404 for success and drops Retry-After). Callers of
 * postgrest-js add `.throwOnError()`, which hands the HttpError on as it is, and `retry: false`, since there is one
 * retry policy already.
 *
 * It takes an absolute URL on the client's origin and a body of text, nothing else (TypeError). An answer that is
 * not JSON is an HttpError `invalid_body`, unless the request accepts text.
 * @param label what logs and errors say instead of the URL
 */
export function toFetch(client: HttpClient, label: (method: Method, url: URL) => string): typeof fetch {
  return async (input, init = {}) => {
    if (input instanceof Request) throw new TypeError("this fetch takes a URL, not a Request");
    const url = new URL(input);
    if (url.origin !== client.origin) throw new TypeError("this fetch is bound to the origin of its client");
    const method = readMethod(init.method ?? "GET");
    const body = init.body ?? undefined;
    if (body !== undefined && typeof body !== "string") throw new TypeError("this fetch sends only text");
    const headers = Object.fromEntries(new Headers(init.headers));

    const response = await client.request({
      method,
      path: url.pathname + url.search,
      label: label(method, url),
      headers,
      ...(body === undefined ? {} : { body }),
      ...(init.signal ? { signal: init.signal } : {}),
    });
    // postgrest-js would use the whole body as the message of its error.
    if (response.body.length > 0 && !headers.accept?.startsWith("text/")) response.json();
    return new Response(BODILESS.has(response.status) ? null : Buffer.from(response.body), {
      status: response.status,
      headers: response.headers,
    });
  };
}

function readMethod(text: string): Method {
  const method = text.toUpperCase();
  if (!METHODS.has(method)) throw new TypeError(`this fetch does not know the method ${method}`);
  // The set holds nothing but methods.
  return method as Method;
}
