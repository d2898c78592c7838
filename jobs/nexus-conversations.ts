// Watches the conversations of Nexus: one event when one has unread messages, one when it was read, one each message.

import { conversationWatch } from "../src/services/nexus/conversations.ts";
import { watchJob } from "../src/services/nexus/watch-job.ts";

export default watchJob(conversationWatch, ({ config }) => config.jobs["nexus-conversations"]);
