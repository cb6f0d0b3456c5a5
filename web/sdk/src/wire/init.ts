/** What may be given for a message: every field may be missing, and is at its default then. */
export type Init<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Init<E>[]
    : T extends object
      ? { [K in keyof T]?: Init<T[K]> }
      : T;
