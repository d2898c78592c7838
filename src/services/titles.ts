// What the services are called. Apart from the services themselves: nexusctl has it, and nothing of them.

export const SERVICE_TITLES = {
  messaging: "NexusMessaging",
  nex: "Nex",
  nexus: "Nexus",
} as const;

export type ServiceName = keyof typeof SERVICE_TITLES;
