// The kinds of sinks that there are. A new one is a file beside this one, and a line here.

import { exec } from "./exec/kind.ts";
import { openclaw } from "./openclaw/kind.ts";
import { webhook } from "./webhook/kind.ts";

export const SINK_KINDS = [exec, openclaw, webhook] as const;
