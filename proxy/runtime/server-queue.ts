/** Stanzas of a session for its server that wait for a connection, in order, and bounded. */
import { LIMITS } from './session-limits.ts';

export class ServerQueue {
  #texts: Buffer[] = [];
  #bytes = 0;

  add(text: Buffer): void {
    this.#texts.push(text);
    this.#bytes += text.length;
  }

  /** More waits than may. */
  get isOverfull(): boolean {
    return this.#bytes > LIMITS.bytes || this.#texts.length > LIMITS.stanzas;
  }

  /** What waits; it goes on waiting. */
  get texts(): readonly Buffer[] {
    return [...this.#texts];
  }

  /** What waits, which is the caller's from now on. */
  take(): Buffer[] {
    const texts = this.#texts;
    this.#texts = [];
    this.#bytes = 0;
    return texts;
  }
}
