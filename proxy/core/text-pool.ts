/**
 * Texts that accounts of one process hear alike stand in memory once. Of the last ones only: the accounts in a room hear a message at
 * about the same time.
 */
const MOST_TEXTS = 4000;
const MOST_BYTES = 4 * 1024 * 1024;

export class TextPool {
  readonly #texts = new Map<string, Buffer>();
  #bytes = 0;

  /** The text itself, or one that is the same and was here before. `name`: what texts that are the same have in common. */
  share(name: string, text: Buffer): Buffer {
    const known = this.#texts.get(name);
    if (known?.equals(text)) return known;
    if (known) this.#drop(name, known);
    this.#texts.set(name, text);
    this.#bytes += text.length;
    for (const [oldest, one] of this.#texts) {
      if (this.#texts.size <= MOST_TEXTS && this.#bytes <= MOST_BYTES) break;
      this.#drop(oldest, one);
    }
    return text;
  }

  #drop(name: string, text: Buffer): void {
    this.#texts.delete(name);
    this.#bytes -= text.length;
  }
}
