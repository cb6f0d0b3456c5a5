/**
 * Milliseconds since 1970 that never go back and do not jump when the system's clock is set: for times that are compared
 * with each other.
 */
export function now(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}

/** A time of now() as the system's clock tells it: for times that people see. */
export function shownTime(at: number): number {
  return Date.now() + at - now();
}

/** Waits until a time is over, or until it is given up. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
    if (signal?.aborted) over();
  });
}
