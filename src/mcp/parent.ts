// Whether the process that started this one is still there: clients leave their servers behind when they are killed.

const LOOK_EVERY_MS = 1000;

/** Calls back once when the parent has gone, which gives this process another one. */
export function onParentGone(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, LOOK_EVERY_MS);
  timer.unref();
}
