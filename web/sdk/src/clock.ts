/**
 * Milliseconds since 1970 that never go back and do not jump when the system's clock is set. It drifts away from that clock
 * where it is set, or where the system sleeps.
 */
export function now(): number {
  return Math.round(performance.timeOrigin + performance.now());
}
