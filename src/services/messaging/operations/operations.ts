// The operations of NexusMessaging.

import { aliasOperations } from "./aliases.ts";
import { forgetSession, leaveSession } from "./leave.ts";
import { messageOperations } from "./messages.ts";
import { pairOperations } from "./pairs.ts";
import { serverOperations } from "./servers.ts";
import { sessionOperations } from "./sessions.ts";

export const messagingOperations = [
  ...sessionOperations,
  leaveSession,
  forgetSession,
  ...pairOperations,
  ...messageOperations,
  ...aliasOperations,
  ...serverOperations,
] as const;
