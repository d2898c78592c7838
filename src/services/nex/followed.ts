// Which writes begin work that goes on in Nex. Nothing is imported here: nexusctl asks it at every start of a write.

/** Operations whose answer only says that the work has begun, with the id of it in their output. */
export const FOLLOWED: Readonly<Record<string, { id: "artifactId" | "jobId"; path: string }>> = {
  "nex.context.add_text": { id: "artifactId", path: "/context/artifacts" },
  "nex.context.list_jobs": { id: "jobId", path: "/context/list/jobs" },
};

export const isFollowed = (operation: string): boolean => Object.hasOwn(FOLLOWED, operation);
