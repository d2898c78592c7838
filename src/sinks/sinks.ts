// All sinks at run time: created from the configuration, notified of events, and ended.

import type { Logger } from "pino";
import type { SinkStatus } from "../contract/api/sinks.ts";
import type { Store } from "../contract/store.ts";
import { nearest } from "../core/text/nearest.ts";
import { within } from "../core/within.ts";
import { SinkError } from "./errors.ts";
import type { Target, TargetContext } from "./kind.ts";
import type { Lanes } from "./lanes.ts";
import type { RunnerOptions } from "./runner.ts";
import { kindNamed, type SinkSettings } from "./settings.ts";
import { Sink } from "./sink.ts";

export interface Sinks {
  /** Creates new or changed ones, and ends removed ones. The others continue undisturbed. @throws StoreError */
  configure(from: SinksConfig): Promise<void>;
  /** In the order of the configuration. @throws StoreError */
  list(): Promise<SinkStatus[]>;
  /** What is wrong with each that is not well, in words for a person; read from memory alone. */
  troubles(): string[];
  /** @throws SinkError `sink_not_found`, with the nearest names */
  named(name: string): Sink;
  /** Call it after a time in which no timer ran, such as a sleep of the machine. */
  look(): void;
  /** Ends what is under way; resolves when nothing is, or after so many ms. */
  stop(graceMs: number): Promise<void>;
}

export interface SinksConfig {
  sinks: readonly SinkSettings[];
  /** By the name of the sink and the key in its table. */
  secrets(sink: string): Readonly<Record<string, string>>;
}

export interface SinksOptions extends Omit<RunnerOptions, "settings" | "target" | "store" | "lanes"> {
  store: Store;
  version: string;
  agentSocket: string;
  http: TargetContext<unknown>["http"];
}

/** @param targetOf makes the target of a sink */
export function createSinks(options: SinksOptions, targetOf = createTarget): Sinks {
  const { store, log, clock } = options;
  let running: { sink: Sink; fingerprint: string }[] = [];
  const lanes: Lanes = new Map();
  let isStopped = false;
  const all = () => running.map(({ sink }) => sink);

  const unsubscribe = [
    store.onAppend(() => {
      for (const sink of all()) sink.runner.appended();
    }),
    store.onAcknowledge((consumer, position) => {
      for (const sink of all()) if (sink.runner.settings.consumer === consumer) sink.runner.moved(position);
    }),
  ];

  const make = async (settings: SinkSettings, secrets: Readonly<Record<string, string>>): Promise<Sink> => {
    const own = log.child({ sink: settings.name });
    const target = await targetOf(settings, secrets, { ...options, log: own });
    return new Sink({ ...options, lanes, settings, target, log: own });
  };

  const apply = async ({ sinks, secrets }: SinksConfig): Promise<void> => {
    if (isStopped) return;
    const before = running;
    const wanted = sinks.map((settings) => {
      const known = secrets(settings.name);
      return { settings, known, fingerprint: JSON.stringify([settings, known]) };
    });
    const isKept = ({ fingerprint }: { fingerprint: string }) =>
      wanted.some((other) => other.fingerprint === fingerprint);
    // A changed one ends before another takes its place: there are never two of one name.
    await Promise.all(before.filter((one) => !isKept(one)).map(({ sink }) => sink.runner.stop()));
    running = await Promise.all(
      wanted.map(async ({ settings, known, fingerprint }) => {
        const kept = before.find((one) => one.fingerprint === fingerprint);
        return kept ?? { sink: await make(settings, known), fingerprint };
      }),
    );
    const made = running.filter((one) => !before.includes(one));
    const isChanged = ({ name }: SinkSettings) =>
      before.some(({ sink }) => sink.runner.settings.name === name);
    const started = await Promise.allSettled(
      made.map(({ sink: { runner } }) => runner.start({ isChanged: isChanged(runner.settings) })),
    );
    // One that could not be started is made anew by the next configuration.
    running = running.filter((one) => started[made.indexOf(one)]?.status !== "rejected");
    for (const result of started) if (result.status === "rejected") throw result.reason;
  };
  /** One after the other: a reload may come while another one is under way. */
  let applied = Promise.resolve();

  return {
    configure(from) {
      const next = applied.catch(() => {}).then(() => apply(from));
      applied = next;
      return next;
    },
    list: () => Promise.all(all().map((sink) => sink.status())),
    troubles: () => all().flatMap((sink) => sink.trouble() ?? []),
    named(name) {
      const found = all().find(({ runner }) => runner.settings.name === name);
      if (found) return found;
      const names = all().map(({ runner }) => runner.settings.name);
      const near = nearest(name, names).map((one) => `"${one}"`);
      const hint =
        near.length > 0
          ? `Did you mean ${near.join(" or ")}?`
          : names.length > 0
            ? `There are: ${names.join(", ")}.`
            : "The configuration has none: add [[sinks]].";
      throw new SinkError("sink_not_found", `There is no sink "${name}". ${hint}`);
    },
    look() {
      for (const sink of all()) sink.runner.look();
    },
    async stop(graceMs) {
      isStopped = true;
      for (const end of unsubscribe) end();
      const stopped = applied
        .catch(() => {})
        .then(() => Promise.all(all().map(({ runner }) => runner.stop())));
      await within(clock, graceMs, stopped);
    },
  };
}

/** If a target cannot be created, one that says so at each wake: one sink must not keep the daemon from starting. */
async function createTarget(
  settings: SinkSettings,
  secrets: Readonly<Record<string, string>>,
  options: SinksOptions & { log: Logger },
): Promise<Target> {
  const { store, clock, random, log, version, agentSocket, http } = options;
  try {
    return await kindNamed(settings.kind).create({
      ...{ settings, sink: settings.name, consumer: settings.consumer },
      ...{ store, clock, random, log, version, agentSocket, http },
      secret: (key) => secrets[key],
    });
  } catch (error) {
    log.error({ err: error }, "the target of this sink cannot be made");
    return {
      hand: async () => ({
        ...{ kind: "refused", code: "internal_error" },
        message: "the sink cannot be made: the daemon's log says why",
      }),
    };
  }
}
