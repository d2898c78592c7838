// doctor: whether each enabled service can be reached and takes our credential, and whether our clock is theirs.

import type { Dispatcher } from "undici";
import { z } from "zod";
import type { Config } from "../config/schema.ts";
import type { ResolvedSecrets, Secret } from "../config/secrets.ts";
import type { ServiceStatus } from "../contract/api/status.ts";
import { systemClock } from "../core/clock.ts";
import { readAnswer } from "../http/answer.ts";
import type { HttpRequest, HttpResponse } from "../http/client.ts";
import { createDispatcher } from "../http/dispatcher.ts";
import { HttpError } from "../http/errors.ts";
import { createHttpClient } from "../http/transport.ts";
import { SERVICE_NAMES, type ServiceName } from "../services/list.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";
import { describeError } from "./jobs.ts";
import { age } from "./output.ts";

interface Subject {
  config: Config;
  secrets: ResolvedSecrets;
  /** What the daemon that runs says of its services. */
  reported: Record<string, ServiceStatus> | undefined;
  signal: AbortSignal;
}

/** Requests that prove a service reachable and our credential good. */
interface Probe {
  credential?: Record<string, string>;
  /** @returns the last answer. @throws HttpError */
  ask(send: (request: HttpRequest) => Promise<HttpResponse>): Promise<HttpResponse>;
  /** What is right when it succeeds. */
  success: string;
  /** What to do when the service refuses the credential. */
  refused: string;
}

const TIMEOUT_MS = 60_000;
const MAX_CLOCK_OFFSET_MS = 30_000;

export async function examineServices(subject: Subject): Promise<Check[]> {
  const agent = createDispatcher();
  const offsets: number[] = [];
  try {
    const checks = await Promise.all(
      SERVICE_NAMES.map(async (service) => [
        ...(await examine(service, subject, agent, (offset) => offsets.push(offset))),
        ...report(service, subject.reported?.[service]),
      ]),
    );
    const isAnyAsked = SERVICE_NAMES.some(
      (service) => subject.config[service].enabled && probeOf(service, subject) !== undefined,
    );
    return [...checks.flat(), examineClock(offsets, isAnyAsked)];
  } finally {
    await agent.destroy();
  }
}

async function examine(
  service: ServiceName,
  subject: Subject,
  dispatcher: Dispatcher,
  onOffset: (offsetMs: number) => void,
): Promise<Check[]> {
  const { config, reported, signal } = subject;
  const { enabled, base_url: origin } = config[service];
  if (!enabled) return [ok(service, "disabled in the config")];
  const probe = probeOf(service, subject);
  if (!probe) {
    const said = reported?.[service];
    if (said) return said.state === "ok" ? [ok(service, "the daemon reports ok; not asked again")] : [];
    return [fail(service, "not asked: its key cannot be read here", "See the lines about secrets above.")];
  }

  const { credential } = probe;
  const client = createHttpClient({
    service,
    origin,
    clock: systemClock,
    timeoutMs: TIMEOUT_MS,
    maxBytes: 4 * 2 ** 20,
    userAgent: "nexusctl",
    dispatcher,
    ...(credential && { credential: async () => credential }),
  });
  const sentAt = Date.now();
  const noteDate = (headers: Record<string, string>) => {
    const date = Date.parse(headers.date ?? "");
    // The Date header was cut to a second, at some time between our sending and now.
    if (!Number.isNaN(date)) onOffset(date + 500 - (sentAt + Date.now()) / 2);
  };
  try {
    const response = await probe.ask((request) => client.request({ ...request, signal }));
    response.json();
    noteDate(response.headers);
    return [ok(service, `${origin} ${probe.success}`)];
  } catch (error) {
    if (!(error instanceof HttpError) || signal.aborted) throw error;
    noteDate(error.headers);
    return [diagnose(service, error, probe)];
  }
}

/** Undefined: nothing can be asked without the daemon's help. */
function probeOf(service: ServiceName, { secrets, reported }: Subject): Probe | undefined {
  switch (service) {
    case "messaging":
      return {
        ask: (send) => send({ method: "GET", path: "/health", label: "GET /health" }),
        success: "answers; it needs no key",
        refused: "NexusMessaging has no keys: check [messaging] base_url, and any proxy on the way.",
      };
    case "nex":
      return secrets.nex?.api_key && probeNex(secrets.nex.api_key);
    case "nexus":
      // An exchange is one of ten a minute, which the daemon may need: it says itself how its last one went.
      return reported || !secrets.nexus?.api_key || !secrets.nexus.anon_key
        ? undefined
        : probeNexus(secrets.nexus.api_key, secrets.nexus.anon_key);
    default:
      return service satisfies never;
  }
}

const probeNex = (apiKey: Secret): Probe => ({
  credential: { authorization: `Bearer ${apiKey.reveal()}` },
  ask: (send) =>
    send({ method: "GET", path: "/api/developers/v1/insights?limit=1", label: "GET /v1/insights" }),
  success: "answers and takes the key",
  refused:
    "Check the key that [nex] api_key refers to, and that it has the scope insight.stream; keys are made at https://app.nex.ai/settings/developer",
});

const tokenAnswer = z.looseObject({ access_token: z.string().regex(/^[\x21-\x7e]+$/) });

const probeNexus = (apiKey: Secret, anonKey: Secret): Probe => ({
  credential: { apikey: anonKey.reveal() },
  async ask(send) {
    const label = "POST /functions/v1/agent-auth";
    const json = { api_key: apiKey.reveal() };
    const answer = await send({
      method: "POST",
      path: "/functions/v1/agent-auth",
      label,
      json,
      authorize: false,
    });
    const { access_token } = readAnswer(answer, tokenAnswer, { service: "nexus", label });
    return await send({
      method: "GET",
      path: "/rest/v1/orders?select=id&limit=1",
      label: "GET /rest/v1/orders",
      headers: { authorization: `Bearer ${access_token}` },
    });
  },
  success: "answers, exchanges the key for a token, and takes both",
  refused:
    "Check what [nexus] api_key and anon_key refer to: the agent key may be revoked or expired, and begins with nxs_ak_.",
});

function diagnose(service: ServiceName, error: HttpError, { refused }: Probe): Check {
  const { status, kind, message } = error;
  if (status === 429)
    return warn(
      service,
      `${message}: reachable, but the limit of requests is used up`,
      "Try again in a minute.",
    );
  if (status === 401 || status === 403) return fail(service, message, refused);
  if (status !== undefined && status >= 500)
    return fail(
      service,
      message,
      "The service itself has a problem; nexusd goes on trying. Try again later.",
    );
  if (kind === "network" || kind === "timeout")
    return fail(
      service,
      message,
      `Check [${service}] base_url, and this machine's network: name resolution, proxy, firewall.`,
    );
  return fail(
    service,
    message,
    `What answers is not the service as it is known: check [${service}] base_url.`,
  );
}

/** What the daemon knows better than a single request can tell. */
function report(service: ServiceName, said: ServiceStatus | undefined): Check[] {
  if (!said || said.state === "ok" || said.state === "disabled") return [];
  const why = said.lastError ? `: ${describeError(said.lastError)}` : "";
  const detail = `the daemon reports ${said.state}, last success ${age(said.lastSuccessAt)}${why}`;
  const remedy = "See its jobs with: nexusctl jobs; the daemon's log says more.";
  return [said.state === "down" ? fail(service, detail, remedy) : warn(service, detail, remedy)];
}

function examineClock(offsets: number[], isAnyAsked: boolean): Check {
  const [offset] = offsets.sort((a, b) => Math.abs(a) - Math.abs(b));
  if (offset === undefined)
    return isAnyAsked
      ? warn("clock", "not compared: no service gave its time")
      : ok("clock", "not compared: no service was asked");
  const seconds = Math.round(Math.abs(offset) / 1000);
  if (Math.abs(offset) <= MAX_CLOCK_OFFSET_MS)
    return ok("clock", `within ${Math.max(1, seconds)} s of the services`);
  return warn(
    "clock",
    `${seconds} s ${offset > 0 ? "behind" : "ahead of"} the services: times and expiries will be wrong`,
    "Set it, and keep it set: timedatectl set-ntp true",
  );
}
