// The kinds of sinks that there are. A new one is a file beside this one, and a line here.

import { exec } from "./exec/kind.ts";

export const SINK_KINDS = [exec] as const;
