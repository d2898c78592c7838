// Which writes start work that continues in Nex, and where Nex reports it.

import type { WORK } from "../../contract/work.ts";

interface Followed {
  /** The field of the output with the id of the work: the answer only says that it has started. */
  id: "artifactId" | "jobId";
  path: string;
}

export const FOLLOWED: Readonly<Record<string, Followed>> = {
  "nex.context.add_text": { id: "artifactId", path: "/context/artifacts" },
  "nex.context.list_jobs": { id: "jobId", path: "/context/list/jobs" },
} satisfies Record<keyof typeof WORK, Followed>;

export const isFollowed = (operation: string): boolean => Object.hasOwn(FOLLOWED, operation);
