// Detects the end of the parent process: clients that are killed leave their servers behind.

const LOOK_EVERY_MS = 1000;

/** Calls back once when the parent is gone, which gives this process another one. */
export function onParentGone(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, LOOK_EVERY_MS);
  timer.unref();
}
