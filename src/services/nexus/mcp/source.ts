// The tools of the MCP server over time: listed at most once a day, kept across restarts, and which of them an operator
// has approved in which form.

import { z } from "zod";
import type { Store } from "../../../contract/store.ts";
import type { Clock } from "../../../core/clock.ts";
import { within } from "../../../core/within.ts";
import { unexpectedShape } from "../../../http/answer.ts";
import type { OperationSource } from "../../catalogue.ts";
import { fieldsOf } from "../../input.ts";
import { type Operation, OperationError } from "../../operation.ts";
import type { McpConnection } from "./connection.ts";
import { MCP_PATH } from "./fetch.ts";
import { PREFIX, toolOperation } from "./operations.ts";
import { resultOf } from "./results.ts";
import { MOST_TOOLS, readTools, toolSchema } from "./tools.ts";

const LIST_KIND = "nexus.mcp.tools";
const APPROVED_KIND = "nexus.mcp.approved";
const LISTED_FOR_MS = 24 * 60 * 60_000;
/** After a failure the server is not asked again for this long. */
const QUIET_MS = 60_000;
/** How long a list of all operations waits for those of the server. */
const PATIENCE_MS = 3000;
const MOST_PAGES = 20;

const listSchema = z.object({ listedAt: z.number(), tools: z.array(toolSchema) });
type List = z.infer<typeof listSchema>;
const approvalSchema = z.object({ hash: z.string() });

export interface McpSettings {
  /** false: nothing is listed or offered. */
  isEnabled: boolean;
  origin: string;
  reads: readonly string[];
}

export function createMcpTools(options: {
  /** Called each time, since a reload changes them. */
  settings: () => McpSettings;
  connection: () => McpConnection;
  store: Pick<Store, "readRecord" | "readRecords" | "commitObservation">;
  clock: Clock;
  /** Called with how many tools were listed, and how many of them nexusd cannot use. */
  onListed: (tools: number, leftOut: number) => void;
}): OperationSource {
  const { settings, connection, store, clock, onListed } = options;
  const lists = new Map<string, List>();
  const approvedHashes = new Map<string, string>();
  let listing: Promise<void> | undefined;
  let failure: { error: unknown; until: number } | undefined;
  let built: { list: List; reads: string; operations: Map<string, Operation> } | undefined;

  const operations = (): Map<string, Operation> => {
    const { isEnabled, origin, reads } = settings();
    const list = lists.get(origin);
    if (!isEnabled || !list) return NONE;
    if (built?.list !== list || built.reads !== reads.join()) {
      const made = list.tools.map((tool) =>
        toolOperation(tool, { reads, approvedHash: (name) => approvedHashes.get(name) }),
      );
      built = {
        list,
        reads: reads.join(),
        operations: new Map(made.map((operation) => [operation.name, operation])),
      };
    }
    return built.operations;
  };

  const isFresh = (list: List | undefined): boolean =>
    list !== undefined && Math.abs(clock.now() - list.listedAt) < LISTED_FOR_MS;

  const list = (): Promise<void> => {
    if (failure && clock.monotonic() < failure.until) return Promise.reject(failure.error);
    const { origin } = settings();
    listing ??= readList(connection())
      .then(async (listed) => {
        const { tools, leftOut } = readTools(listed);
        const found: List = { listedAt: clock.now(), tools };
        lists.set(origin, found);
        failure = undefined;
        onListed(tools.length, leftOut);
        // A database that accepts no commits is reported elsewhere; the list is valid until the next start.
        await store
          .commitObservation({ source: LIST_KIND, put: [{ kind: LIST_KIND, key: origin, value: found }] })
          .catch(() => {});
      })
      .catch((error: unknown) => {
        failure = { error, until: clock.monotonic() + QUIET_MS };
        throw error;
      })
      .finally(() => {
        listing = undefined;
      });
    return listing;
  };

  return {
    get: (name) => operations().get(name),
    all: () => [...operations().values()],
    async load() {
      for (const { key, value } of await store.readRecords(LIST_KIND)) {
        const parsed = listSchema.safeParse(value);
        if (parsed.success) lists.set(key, parsed.data);
      }
      for (const { key, value } of await store.readRecords(APPROVED_KIND)) {
        const parsed = approvalSchema.safeParse(value);
        if (parsed.success) approvedHashes.set(key, parsed.data.hash);
      }
    },
    async refresh(name) {
      const { isEnabled, origin } = settings();
      const known = lists.get(origin);
      if (name === undefined) {
        if (!isEnabled || isFresh(known)) return;
        const done = list().catch(() => {});
        if (!known) await within(clock, PATIENCE_MS, done);
        return;
      }
      if (!name.startsWith(PREFIX)) return;
      if (!isEnabled)
        throw new OperationError("service_disabled", "The tools of Nexus are disabled: set nexus.mcp = true");
      if (isFresh(known)) return;
      try {
        await list();
      } catch (error) {
        // What was known of the tool yesterday is good enough while the server is unreachable.
        if (!operations().has(name)) throw error;
      }
    },
    async lookAgain(name) {
      if (name.startsWith(PREFIX) && settings().isEnabled) await list();
    },
    withApproval({ operation, precondition }) {
      if (!operation.startsWith(PREFIX) || precondition === null) return {};
      const { tool, version } = fieldsOf(JSON.parse(precondition));
      if (typeof tool !== "string" || typeof version !== "string") return {};
      const put = [{ kind: APPROVED_KIND, key: tool, value: { hash: version } }];
      return {
        observations: [{ source: APPROVED_KIND, put }],
        committed: () => {
          approvedHashes.set(tool, version);
        },
      };
    },
  };
}

const NONE: Map<string, Operation> = new Map();

/** All pages of `tools/list`. @throws HttpError, OperationError */
async function readList(connection: McpConnection): Promise<unknown[]> {
  const label = `POST ${MCP_PATH} tools/list`;
  const tools: unknown[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES && tools.length < MOST_TOOLS; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const answer = await connection.call(
      { label, json: { jsonrpc: "2.0", id: 0, method: "tools/list", params } },
      { signal: NEVER, once: false },
    );
    const result = resultOf(answer, label);
    if (!Array.isArray(result.tools))
      throw unexpectedShape({ service: "nexus", label }, "without a list of tools");
    tools.push(...result.tools);
    const { nextCursor } = result;
    // Some servers end with an empty cursor, or with that of the same page; each request counts.
    if (typeof nextCursor !== "string" || nextCursor === "" || nextCursor === cursor) break;
    cursor = nextCursor;
  }
  return tools;
}

const NEVER = new AbortController().signal;
