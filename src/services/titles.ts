// The titles of the services. Separate from the services: nexusctl uses them, and nothing else of the services.

export const SERVICE_TITLES = {
  messaging: "NexusMessaging",
  nex: "Nex",
  nexus: "Nexus",
} as const;

export type ServiceName = keyof typeof SERVICE_TITLES;
