// What NexusMessaging can be asked to do.

import { aliasOperations } from "./operations-aliases.ts";
import { forgetSession, leaveSession } from "./operations-leave.ts";
import { messageOperations } from "./operations-messages.ts";
import { pairOperations } from "./operations-pairs.ts";
import { serverOperations } from "./operations-servers.ts";
import { sessionOperations } from "./operations-sessions.ts";

export const messagingOperations = [
  ...sessionOperations,
  leaveSession,
  forgetSession,
  ...pairOperations,
  ...messageOperations,
  ...aliasOperations,
  ...serverOperations,
] as const;
