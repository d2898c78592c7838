// doctor: whether each enabled service is reachable and accepts our credential, and whether our clocks agree.

import type { Dispatcher } from "undici";
import type { Config } from "../../config/schema.ts";
import type { ResolvedSecrets } from "../../config/secrets.ts";
import type { ServiceStatus } from "../../contract/api/status.ts";
import { systemClock } from "../../core/clock.ts";
import { createDispatcher } from "../../http/dispatcher.ts";
import { HttpError } from "../../http/errors.ts";
import { createHttpClient } from "../../http/transport.ts";
import { SERVICES, type ServiceName } from "../../services/list.ts";
import type { Probe, ProbeOptions } from "../../services/module.ts";
import { describeError } from "../jobs.ts";
import { age } from "../terminal/output.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

type Module = (typeof SERVICES)[number];

interface Subject {
  config: Config;
  secrets: ResolvedSecrets;
  /** The running daemon's view of its services. */
  reported: Record<string, ServiceStatus> | undefined;
  signal: AbortSignal;
}

const TIMEOUT_MS = 60_000;
const MAX_CLOCK_OFFSET_MS = 30_000;

export async function examineServices(subject: Subject): Promise<Check[]> {
  const agent = createDispatcher();
  const offsets: number[] = [];
  let isAnyAsked = false;
  try {
    const checks = await Promise.all(
      SERVICES.map(async (service) => {
        const probe = subject.config[service.name].enabled ? await probeOf(service, subject) : undefined;
        if (probe) isAnyAsked = true;
        return [
          ...(await examine(service.name, probe, subject, agent, (offset) => offsets.push(offset))),
          ...report(service.name, subject.reported?.[service.name]),
        ];
      }),
    );
    return [...checks.flat(), examineClock(offsets, isAnyAsked)];
  } finally {
    await agent.destroy();
  }
}

async function examine(
  service: ServiceName,
  probe: Probe | undefined,
  subject: Subject,
  dispatcher: Dispatcher,
  onOffset: (offsetMs: number) => void,
): Promise<Check[]> {
  const { config, reported, signal } = subject;
  const { enabled, base_url: origin } = config[service];
  if (!enabled) return [ok(service, "disabled in the config")];
  if (!probe) {
    const said = reported?.[service];
    if (said) return said.state === "ok" ? [ok(service, "the daemon reports ok; not checked again")] : [];
    return [fail(service, "not checked: its key cannot be read here", "See the lines about secrets above.")];
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
    // The Date header is truncated to a second; it was set at some time between our request and now.
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
async function probeOf(service: Module, { secrets, reported }: Subject): Promise<Probe | undefined> {
  const probe: (options: ProbeOptions) => Probe | undefined = await service.loadProbe();
  return probe({
    secret: (key) => secrets[service.name]?.[key]?.reveal(),
    isRunning: reported !== undefined,
  });
}

function diagnose(service: ServiceName, error: HttpError, { refused }: Probe): Check {
  const { status, kind, message } = error;
  if (status === 429)
    return warn(service, `${message}: reachable, but its request limit is used up`, "Try again in a minute.");
  if (status === 401 || status === 403) return fail(service, message, refused);
  if (status !== undefined && status >= 500)
    return fail(service, message, "The service has a problem; nexusd keeps trying.");
  if (kind === "network" || kind === "timeout")
    return fail(
      service,
      message,
      `Check [${service}] base_url, and this machine's network: name resolution, proxy, firewall.`,
    );
  return fail(service, message, `What answers does not look like the service: check [${service}] base_url.`);
}

/** What the daemon knows better than a single request can tell. */
function report(service: ServiceName, said: ServiceStatus | undefined): Check[] {
  if (!said || said.state === "disabled") return [];
  const attention = (said.attention ?? []).map(({ detail, remedy }) => warn(service, detail, remedy));
  if (said.state === "ok") return attention;
  const why = said.lastError ? `: ${describeError(said.lastError)}` : "";
  const detail = `the daemon reports ${said.state}, last success ${age(said.lastSuccessAt)}${why}`;
  const remedy = "See: nexusctl jobs, and the daemon's log.";
  return [
    said.state === "down" ? fail(service, detail, remedy) : warn(service, detail, remedy),
    ...attention,
  ];
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
    "Keep it in sync: timedatectl set-ntp true",
  );
}
