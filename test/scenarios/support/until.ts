/** Waits until a condition holds; `what` names it when it does not within the limit. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 8_000): Promise<void> {
  for (const end = performance.now() + limitMs; ; ) {
    if (await holds()) return;
    if (performance.now() > end) throw new Error(`in vain was waited until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
