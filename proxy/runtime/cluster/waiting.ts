/** What has happened to an account's sessions while its home was not known: in order, bounded in number and in time. */
import { detach } from '../../core/occupancy.ts';
import type { SessionId } from '../../core/state.ts';
import type { Happening } from './part.ts';

type Waiter = Happening;

/** What is known of the account's sessions here. */
interface Sessions {
  dropSession(id: SessionId): void;
}

/** More than this and stanzas are refused at once. */
const MOST = 2000;
const MOST_BYTES = 2 * 1024 * 1024;

export class Waiting {
  readonly #timeoutMs: number;
  readonly #refuse: (input: Waiter) => void;
  readonly #mirror: Sessions;
  #inputs: { readonly input: Waiter; readonly until: number }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `refuse` is given what has waited for `timeoutMs`, or finds no place. */
  constructor(timeoutMs: number, mirror: Sessions, refuse: (input: Waiter) => void) {
    this.#timeoutMs = timeoutMs;
    this.#mirror = mirror;
    this.#refuse = refuse;
  }

  /** False: it does not wait, as it can be told by the facts of the sessions. */
  add(input: Waiter): boolean {
    const isStanza = input.kind === 'session-stanza' || input.kind === 'carrier-stanza';
    if (isStanza && (this.#inputs.length >= MOST || this.#bytes + input.stanza.length > MOST_BYTES)) {
      this.#refuse(input);
      return true;
    }
    // A session goes behind what it has said. All else that is no stanza need not be told twice; what streams say has no other place.
    const isLast = input.kind === 'session-gone' && this.has(input.session);
    if (!isStanza && !isLast) return false;
    this.#bytes += isStanza ? input.stanza.length : 0;
    const until = performance.now() + this.#timeoutMs;
    this.#inputs.push({ input: isStanza ? { ...input, stanza: detach(input.stanza) } : input, until });
    this.#timer ??= setTimeout(() => this.#expire(), this.#timeoutMs).unref();
    return true;
  }

  /** Something that the session has said is among it. */
  has(session: SessionId): boolean {
    return this.#inputs.some(({ input }) => input.kind === 'session-stanza' && input.session === session);
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

  /** All of it, in order; nothing waits any more. Sessions that have gone meanwhile are forgotten: what they are the home has been told. */
  take(): Waiter[] {
    const inputs = this.#inputs.map(({ input }) => input);
    this.close();
    for (const input of inputs) if (input.kind === 'session-gone') this.#mirror.dropSession(input.session);
    return inputs;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#inputs = [];
    this.#bytes = 0;
  }
}
