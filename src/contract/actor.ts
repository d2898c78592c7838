// Who did something to a write, over which socket, and by what authority.

/** Who did something, as far as it is known. Self-chosen names are never here. */
export interface Actor {
  via: "agent.sock" | "operator.sock" | "policy" | "nexusd";
  /** The operating system's user, if the socket tells. */
  user: string | null;
  /** Whose signature decided, whichever way it arrived; left out: no signature. */
  signer?: string | null;
}

/** The authority for an action: a signature if there is one, else the socket it came over. */
export type Door = Actor["via"] | "signature";
export const doorOf = ({ via, signer = null }: Actor): Door => (signer === null ? via : "signature");

/** An actor as the API and the events show it. */
export interface ShownActor {
  via: Actor["via"];
  door: Door;
  user: string | null;
  signer: string | null;
}
export const shownActor = (actor: Actor): ShownActor => ({
  via: actor.via,
  door: doorOf(actor),
  user: actor.user,
  signer: actor.signer ?? null,
});
