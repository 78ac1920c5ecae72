/** What has happened to an account's sessions while its home was not known: in order, bounded in number and in time. */
import { detach } from '../../core/occupancy.ts';
import type { Happening } from './part.ts';

type Waiter = Happening;

/** More than this and stanzas are refused at once. */
const MOST = 2000;
const MOST_BYTES = 2 * 1024 * 1024;

export class Waiting {
  readonly #timeoutMs: number;
  readonly #refuse: (input: Waiter) => void;
  #inputs: { readonly input: Waiter; readonly until: number }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `refuse` is given what has waited for `timeoutMs`, or finds no place. */
  constructor(timeoutMs: number, refuse: (input: Waiter) => void) {
    this.#timeoutMs = timeoutMs;
    this.#refuse = refuse;
  }

  add(input: Waiter): void {
    const isStanza = input.kind === 'session-stanza' || input.kind === 'carrier-stanza';
    if (isStanza && (this.#inputs.length >= MOST || this.#bytes + input.stanza.length > MOST_BYTES)) {
      this.#refuse(input);
      return;
    }
    // What can be told by the facts of the sessions need not be told twice; what streams say has no other place.
    if (!isStanza) return;
    this.#bytes += input.stanza.length;
    this.#inputs.push({
      input: { ...input, stanza: detach(input.stanza) },
      until: performance.now() + this.#timeoutMs,
    });
    this.#timer ??= setTimeout(() => this.#expire(), this.#timeoutMs).unref();
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    const late = this.#inputs.filter(({ until }) => until <= now);
    this.#inputs = this.#inputs.filter(({ until }) => until > now);
    this.#bytes = this.#inputs.reduce((sum, { input }) => sum + ('stanza' in input ? input.stanza.length : 0), 0);
    const [next] = this.#inputs;
    if (next) this.#timer = setTimeout(() => this.#expire(), next.until - now).unref();
    for (const { input } of late) this.#refuse(input);
  }

  /** All of it, in order; nothing waits any more. */
  take(): Waiter[] {
    const inputs = this.#inputs.map(({ input }) => input);
    this.close();
    return inputs;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#inputs = [];
    this.#bytes = 0;
  }
}
