// Turns of the event loop. Between two turns everything else that is ready is served, above all the other socket, so a
// client that sends a thousand requests delays only itself.

/** @throws the error of `refuse` if too many wait already, of `gone` if the waiter has hung up */
export type TakeTurn = (waiter: { destroyed: boolean }) => Promise<void>;

interface Waiting {
  waiter: { destroyed: boolean };
  begin(): void;
  giveUp(error: Error): void;
}

/**
 * One turn per round of the event loop, first come, first served; the first of a round at once.
 * @param refuse the error if too many wait, undefined if one more may
 * @param gone the error for a client that hung up before its turn
 */
export function createTurns(options: {
  refuse(waiting: number): Error | undefined;
  gone(): Error;
}): TakeTurn {
  let queue: Waiting[] = [];
  let isTaken = false;

  const next = () => {
    const gone = queue.findIndex(({ waiter }) => !waiter.destroyed);
    const left = queue.splice(0, gone === -1 ? queue.length : gone);
    for (const { giveUp } of left) giveUp(options.gone());
    const first = queue.shift();
    isTaken = first !== undefined;
    if (!first) {
      queue = [];
      return;
    }
    setImmediate(next);
    first.begin();
  };

  return async (waiter) => {
    if (!isTaken) {
      isTaken = true;
      setImmediate(next);
      return;
    }
    const refusal = options.refuse(queue.length);
    if (refusal) throw refusal;
    await new Promise<void>((begin, giveUp) => queue.push({ waiter, begin, giveUp }));
  };
}
