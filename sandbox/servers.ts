/** The three stand-ins together, for both sandbox programs. */

import { SANDBOX_ENV, SANDBOX_SESSION_ID, type SandboxPorts } from "./args.ts";
import { startLife } from "./life.ts";
import { type MessagingServer, startMessaging } from "./messaging.ts";
import { type NexServer, startNex } from "./nex.ts";
import { type NexusServer, startNexus } from "./nexus.ts";
import { startNexusLife } from "./nexus-life.ts";
import { findPostgrest } from "./postgrest-program.ts";

const maxSessionSeconds = 86_400;

export interface Sandbox {
  messaging: MessagingServer;
  nex: NexServer;
  nexus: NexusServer;
  close(): Promise<void>;
}

/** Resolves when all three listen; Nexus's data follows (`nexus.ready`). Throws an Error with a one-line message. */
export async function startSandbox(options: { ports: SandboxPorts; quietLife: boolean }): Promise<Sandbox> {
  const { ports } = options;
  const { NEX_API_KEY, NEXUS_API_KEY, NEXUS_ANON_KEY } = SANDBOX_ENV;
  const closing: (() => Promise<void> | void)[] = [];
  const close = async () => {
    await Promise.all(closing.splice(0).map((end) => end()));
  };
  async function listen<T extends { close(): Promise<void> }>(port: number, start: Promise<T>): Promise<T> {
    const server = await start.catch((error) => Promise.reject(explained(error, port)));
    closing.push(server.close);
    return server;
  }

  try {
    const messaging = await listen(ports.messaging, startMessaging({ port: ports.messaging }));
    const nex = await listen(ports.nex, startNex({ port: ports.nex, apiKey: NEX_API_KEY }));
    const nexus = await listen(
      ports.nexus,
      startNexus({ port: ports.nexus, apiKey: NEXUS_API_KEY, anonKey: NEXUS_ANON_KEY }),
    );
    messaging.createSession({
      id: SANDBOX_SESSION_ID,
      ttl: maxSessionSeconds,
      greeting: "Welcome to the sandbox shop. The agents of the shop meet here.",
    });
    if (!options.quietLife) {
      closing.unshift(
        startLife({ messaging, nex, sessionId: SANDBOX_SESSION_ID }).stop,
        ...(findPostgrest() ? [startNexusLife({ nexus }).stop] : []),
      );
    }
    return { messaging, nex, nexus, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function explained(error: unknown, port: number): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return new Error(`port ${port} is in use; is another sandbox running?`, { cause: error });
  }
  if (code === "EACCES") return new Error(`port ${port} is not open to this user`, { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}
