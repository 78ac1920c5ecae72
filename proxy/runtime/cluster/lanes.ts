/** So many at a time. */

/**
 * Does the work for each, `atOnce` at a time, each in its turn; those that have not begun when `isOver` says so are passed over. Rejects with
 * the first work that does, the others going on.
 */
export async function inLanes<T>(
  all: Iterable<T>,
  atOnce: number,
  work: (one: T) => Promise<void>,
  isOver: () => boolean = () => false,
): Promise<void> {
  const queue = all[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    while (!isOver()) {
      const next = queue.next();
      if (next.done) return;
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
