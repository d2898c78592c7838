// The clients of the services, as passed to jobs.

import type { SERVICES } from "./list.ts";

type Module = (typeof SERVICES)[number];
type ClientOf<M extends Module> = ReturnType<ReturnType<Awaited<ReturnType<M["load"]>>["start"]>["connect"]>;

/** By the names of the services. */
export type Services = { [M in Module as M["name"]]: ClientOf<M> };
