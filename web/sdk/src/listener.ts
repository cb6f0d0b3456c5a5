/** Calls a listener, whose fault is its own, as with addEventListener. */
export function tell<E>(listener: (e: E) => void, e: E): void {
  try {
    listener(e);
  } catch (failure) {
    queueMicrotask(() => {
      throw failure;
    });
  }
}
