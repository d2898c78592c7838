// The list of services. A new one is a folder beside this file, and a line here.

import { messaging } from "./messaging/module.ts";
import { nex } from "./nex/module.ts";
import { nexus } from "./nexus/module.ts";

export const SERVICES = [messaging, nex, nexus] as const;

export type ServiceName = (typeof SERVICES)[number]["name"];

export const SERVICE_NAMES: readonly ServiceName[] = SERVICES.map(({ name }) => name);

/** @throws Error if there is none of this name */
export function serviceNamed(name: string): (typeof SERVICES)[number] {
  const found = SERVICES.find((service) => service.name === name);
  if (found) return found;
  throw new Error(`there is no service ${name}`);
}
