// Turns of the event loop. Between two turns everything else that is ready is served, above all the other socket, so
// that whoever sends a thousand requests delays only herself.

/** @throws what `most` and the caller say when too many wait already */
export type TakeTurn = (waiter: { destroyed: boolean }) => Promise<void>;

interface Waiting {
  waiter: { destroyed: boolean };
  begin(): void;
  giveUp(error: Error): void;
}

/**
 * One turn for each round of the event loop, in the order in which they were asked for; the first of a round at once.
 * @param refuse the error where too many wait, undefined where one more may
 * @param gone the error of whoever has hung up before her turn
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
