/**
 * Stream management at work on an account stream (XEP-0198): what is kept until the server acknowledges it, what waits while
 * there is no connection, and how a peer that has vanished without a word is noticed.
 */
import type { Leg } from '../net/leg.ts';
import type { ServerFeatures } from '../stream/features.ts';
import type { Acknowledged } from '../stream/management/management.ts';
import { readH } from '../stream/management/management.ts';
import { managementVersion, OwnManagement } from '../stream/management/own-management.ts';
import type { Stanza } from '../xml/stanza.ts';
import { LegReader } from './leg-reader.ts';
import type { Outlet } from './outlet.ts';

/** What may be unacknowledged, and what may wait for a connection: each. */
const LIMITS = { stanzas: 5000, bytes: 2 * 1024 * 1024 };
/** After so long a silence the server is asked for a sign of life, which it owes within the second time (ms). */
const SILENCE_MS = 60_000;
const ANSWER_MS = 30_000;
/** For the answer to `<enable/>` (ms). */
const ENABLE_MS = 10_000;

/** Texts of stanzas that a lost stream owes to the server. */
export interface OwedTexts {
  /** They have not reached it. */
  readonly unsent: readonly Buffer[];
  /** They may have reached it. */
  readonly unacknowledged: readonly Buffer[];
}

/**
 * Enables stream management on a held leg whose stream is bound; the leg is held again afterwards. Undefined: the server has none,
 * or refuses it. Rejects when the stream ends or no answer comes.
 */
export async function enableManagement(leg: Leg, features: ServerFeatures): Promise<OwnManagement | undefined> {
  const version = managementVersion(features);
  if (version === undefined) return undefined;
  const reader = new LegReader(leg);
  const timer = setTimeout(() => leg.destroy(), ENABLE_MS);
  leg.send(`<enable xmlns='${version}' resume='true'/>`);
  try {
    for (;;) {
      const event = await reader.next();
      if (event.type === 'over') throw new Error('The server ended the stream.');
      if (event.type !== 'stanza' || event.stanza.ns !== version) continue;
      return event.stanza.name === 'enabled' ? new OwnManagement(version, event.stanza) : undefined;
    }
  } finally {
    clearTimeout(timer);
  }
}

export class OwnStream {
  readonly #management: OwnManagement;
  readonly #outlet: Outlet;
  readonly #onOverfull: () => void;
  readonly #timing: { readonly silenceMs: number; readonly answerMs: number };
  /** Stanzas for the server that wait for a connection, and their bytes. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #watch: NodeJS.Timeout | undefined;
  #askedAt = 0;

  /** `onOverfull`: more waits for a connection than may. `pingMs`: the silence after which any peer is pinged. */
  constructor(management: OwnManagement, outlet: Outlet, pingMs: number, onOverfull: () => void) {
    this.#management = management;
    this.#outlet = outlet;
    this.#onOverfull = onOverfull;
    this.#timing = { silenceMs: Math.min(SILENCE_MS, pingMs), answerMs: Math.min(ANSWER_MS, pingMs) };
  }

  get resumableMs(): number | undefined {
    return this.#management.resumableMs;
  }

  /** Watches the connection from now on. */
  start(): void {
    this.stop();
    const { silenceMs, answerMs } = this.#timing;
    this.#watch = setInterval(() => this.#look(), Math.min(silenceMs, answerMs) / 2).unref();
  }

  stop(): void {
    clearInterval(this.#watch);
  }

  /** A connection on which the server owes a sign of life is dropped; the stream goes on over the next one. */
  #look(): void {
    const { leg } = this.#outlet;
    const now = performance.now();
    if (this.#management.isAsked) {
      if (now - this.#askedAt >= this.#timing.answerMs) leg.destroy();
    } else if (this.#management.waiting > 0 || now - leg.lastActivity >= this.#timing.silenceMs) this.#ask();
  }

  #ask(): void {
    this.#askedAt = performance.now();
    this.#outlet.leg.send(this.#management.ask());
  }

  /** A stanza has gone out. The text is copied, so that no chunk of the wire is kept. */
  sent(xml: string | Buffer): void {
    const management = this.#management;
    management.sent(Buffer.from(xml));
    if (management.isAskDue) this.#ask();
    // A new connection begins with what the server has got.
    if (management.bytes > LIMITS.bytes || management.waiting > LIMITS.stanzas) this.#outlet.leg.destroy();
  }

  /** A stanza that has come is dealt with. */
  taken(): void {
    this.#management.taken();
  }

  /** An element of stream management has come. False: it is none for this stream. */
  handle(stanza: Stanza): Acknowledged {
    if (stanza.ns !== this.#management.version) return 'malformed';
    if (stanza.name === 'a') return this.#management.acknowledged(stanza);
    if (stanza.name !== 'r') return 'malformed';
    this.#outlet.leg.send(this.#management.answer());
    return 'ok';
  }

  /** There is no connection: what is to be sent waits. */
  suspend(): void {
    this.stop();
    this.#outlet.divert((text) => this.#keep(text));
  }

  #keep(text: Buffer): void {
    this.#waiting.push(Buffer.from(text));
    this.#waitingBytes += text.length;
    if (this.#waitingBytes > LIMITS.bytes || this.#waiting.length > LIMITS.stanzas) this.#onOverfull();
  }

  /** `<resume/>` for a new connection. */
  get resumption(): string {
    return this.#management.resume();
  }

  /** The stream goes on over this connection, `answer` being the server's `<resumed/>`. False: the counts do not fit. */
  resume(leg: Leg, answer: Stanza): boolean {
    const again = this.#management.resumed(readH(answer));
    if (!again) return false;
    this.#outlet.connect(leg);
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const text of [...again, ...waiting]) this.#outlet.send(undefined, text);
    this.start();
    return true;
  }

  /** The stream is lost; `h`: what the server has handled, where it said so. */
  end(h: number | undefined): OwedTexts {
    this.stop();
    const told = this.#management.unacknowledged(h);
    const unsent = [...this.#waiting, ...this.#outlet.close()];
    return told
      ? { unsent: [...told, ...unsent], unacknowledged: [] }
      : { unsent, unacknowledged: this.#management.kept };
  }
}
