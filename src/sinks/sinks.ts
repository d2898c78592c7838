// All sinks at run time: created from the configuration, notified of events, and ended.

import type { Logger } from "pino";
import type { SinkStatus } from "../contract/api/sinks.ts";
import type { Lease } from "../contract/fleet.ts";
import { sinkLease } from "../contract/leases.ts";
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
  /**
   * The sink, if this node runs it.
   * @throws SinkError `sink_not_found`, with the nearest names; `sink_elsewhere`, with the node
   */
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

interface Entry {
  fingerprint: string;
  /** In a fleet a new one each time this node takes it over. */
  sink: Sink;
  /** Whether this node runs it. */
  isHeld: boolean;
  /** @throws StoreError */
  start(): Promise<void>;
  end(): Promise<void>;
}

/** After an error of the database. */
const AGAIN_MS = 1000;

export interface SinksOptions extends Omit<RunnerOptions, "settings" | "target" | "store" | "lanes"> {
  store: Store;
  version: string;
  agentSocket: string;
  http: TargetContext<unknown>["http"];
  /** The node that holds a lease of the fleet, as far as known. */
  holderOf?: (resource: string) => string | undefined;
}

/** @param targetOf makes the target of a sink */
export function createSinks(options: SinksOptions, targetOf = createTarget): Sinks {
  const { store, log, clock } = options;
  let running: Entry[] = [];
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

  const elsewhere = (name: string): SinkError => {
    const holder = options.holderOf?.(sinkLease(name));
    return new SinkError(
      "sink_elsewhere",
      holder === undefined || holder === store.fleet.node
        ? "No node runs it at the moment: try again."
        : `The node ${holder} runs it: ask nexusd there.`,
    );
  };

  const create = async (
    settings: SinkSettings,
    known: Readonly<Record<string, string>>,
    fingerprint: string,
    isChanged: boolean,
  ): Promise<Entry> => {
    const sink = await make(settings, known);
    if (!store.shared)
      return {
        ...{ fingerprint, sink, isHeld: true },
        start: () => sink.runner.start({ isChanged }),
        end: () => sink.runner.stop(),
      };
    const ending = new AbortController();
    let living = Promise.resolve();
    const entry: Entry = {
      ...{ fingerprint, sink, isHeld: false },
      async start() {
        living = live();
      },
      async end() {
        ending.abort(new Error("the sink ends"));
        await living;
      },
    };
    const tenure = async (lease: Lease, isFirst: boolean): Promise<void> => {
      // What another node has done with it meanwhile is in its record.
      const mine = await make(settings, known);
      try {
        await mine.runner.start({ isChanged: isChanged && isFirst });
        entry.sink = mine;
        entry.isHeld = true;
        await aborted(AbortSignal.any([ending.signal, lease.signal]));
      } finally {
        entry.isHeld = false;
        await mine.runner.stop();
      }
    };
    const live = async (): Promise<void> => {
      for (let isFirst = true; !ending.signal.aborted; )
        try {
          await store.fleet.hold(sinkLease(settings.name), ending.signal, (lease) => tenure(lease, isFirst));
          isFirst = false;
        } catch (err) {
          if (ending.signal.aborted) return;
          log.debug({ err, sink: settings.name }, "the lease of a sink cannot be held");
          await clock.sleep(AGAIN_MS, ending.signal).catch(() => {});
        }
    };
    return entry;
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
    await Promise.all(before.filter((one) => !isKept(one)).map((one) => one.end()));
    const isChanged = ({ name }: SinkSettings) =>
      before.some(({ sink }) => sink.runner.settings.name === name);
    running = await Promise.all(
      wanted.map(
        async ({ settings, known, fingerprint }) =>
          before.find((one) => one.fingerprint === fingerprint) ??
          (await create(settings, known, fingerprint, isChanged(settings))),
      ),
    );
    const made = running.filter((one) => !before.includes(one));
    const started = await Promise.allSettled(made.map((one) => one.start()));
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
    list: () =>
      Promise.all(
        running.map(async ({ sink, isHeld }) => {
          if (!isHeld) await sink.runner.recall();
          return sink.status();
        }),
      ),
    troubles: () => running.flatMap(({ sink, isHeld }) => (isHeld ? (sink.trouble() ?? []) : [])),
    named(name) {
      const found = running.find(({ sink }) => sink.runner.settings.name === name);
      if (found?.isHeld) return found.sink;
      if (found) throw elsewhere(name);
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
      const stopped = applied.catch(() => {}).then(() => Promise.all(running.map((one) => one.end())));
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

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
