// Who did something to a write, by which way, and by what right.

/** Who did something, as far as it is known. A name that somebody gave itself is never here. */
export interface Actor {
  via: "agent.sock" | "operator.sock" | "policy" | "nexusd";
  /** The operating system's user, where the socket tells. */
  user: string | null;
  /** Whose signature it was that decided, however it came here; left out: nobody's. */
  signer?: string | null;
}

/** By what right somebody did something: a signature where there is one, else the way that it came. */
export type Door = Actor["via"] | "signature";
export const doorOf = ({ via, signer = null }: Actor): Door => (signer === null ? via : "signature");

/** An actor as the API and the events show one. */
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
