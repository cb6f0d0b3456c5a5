/** Draws a number from 0 up to, but not including, 1. It is how the machines of this folder get their jitter. */
export type Random = () => number;

/** A delay in milliseconds that doubles from min to max. */
export class Backoff {
  private attempt = 0;

  constructor(
    public min: number,
    public max: number,
    private readonly random: Random,
  ) {}

  /**
   * Draws a delay from the upper half of the present step, so that those who failed together do not come back together,
   * and takes the next step.
   */
  next(): number {
    const d = Math.min(this.min * 2 ** this.attempt, this.max);
    if (d < this.max) this.attempt++;
    return d / 2 + this.random() * (d / 2);
  }

  reset(): void {
    this.attempt = 0;
  }
}

/** The earlier of two times, where undefined stands for never. */
export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}
