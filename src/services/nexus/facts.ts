// What the requests of Nexus depend on besides their input: the organization of the agent key.

import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import { within } from "../../core/within.ts";
import { HttpError } from "../../http/errors.ts";
import { fieldsOf } from "../input.ts";
import {
  type Credential,
  defineOperationsOf,
  type Facts,
  type Operation,
  OperationError,
  type ShownRequest,
} from "../operation.ts";
import { isRolledBack } from "./rolled-back.ts";

export interface NexusFacts extends Facts {
  /** The organization of the agent key. @throws OperationError `service_unavailable` if it is not known yet */
  organizationId(): string;
}

const define = defineOperationsOf<NexusFacts>();

export const defineOperation = <I>(
  operation: Omit<Operation<I, NexusFacts>, "destructive"> & { destructive?: boolean },
): Operation<I, NexusFacts> => define({ ...operation, isRolledBack });

export const AGENT_TOKEN = {
  kind: "nexus",
  headers: { authorization: "‹agent token›", apikey: "‹anon key›" },
} as const satisfies Credential;

/** Over the connection with the MCP server, with its session and protocol version. */
export const MCP_SESSION = {
  kind: "nexus",
  headers: {
    ...AGENT_TOKEN.headers,
    "mcp-protocol-version": "‹as agreed with the server›",
    "mcp-session-id": "‹session, where the server keeps one›",
  },
} as const satisfies Credential;

/** An exchange that takes longer than this leaves the organization unknown for now. */
const ORGANIZATION_WITHIN_MS = 10_000;

export async function nexusFacts(
  origin: string,
  organizationId: () => Promise<string>,
  clock: Clock,
): Promise<NexusFacts> {
  // Created where it is thrown: an error costs more than everything else here.
  const organization = await readOrganization(organizationId, clock);
  return {
    origin,
    organizationId() {
      if (typeof organization === "string") return organization;
      throw organization;
    },
  };
}

/** Shown in a request: what it creates belongs to the organization. */
export function shownNexusFacts({ url, body }: ShownRequest): NexusFacts {
  const { organization_id, organizationId } = fieldsOf(body === null ? undefined : parseJson(body));
  const found = organization_id ?? organizationId;
  return {
    origin: URL.parse(url)?.origin ?? "",
    organizationId() {
      if (typeof found === "string") return found;
      throw new OperationError(
        "service_unavailable",
        "The request does not show which organization it is for.",
      );
    },
  };
}

async function readOrganization(
  organizationId: () => Promise<string>,
  clock: Clock,
): Promise<string | OperationError> {
  try {
    const known = await within(clock, ORGANIZATION_WITHIN_MS, organizationId());
    return known?.value ?? unknownOrganization("the exchange of the agent key took too long");
  } catch (error) {
    return unknownOrganization(
      error instanceof HttpError ? error.message : "the agent key was not exchanged",
    );
  }
}

const unknownOrganization = (why: string) =>
  new OperationError("service_unavailable", `nexus: the organization of the agent key is unknown: ${why}`);
