/**
 * Stream management of a stream that is the proxy's own from end to end (XEP-0198), such as an account stream: one pair of
 * counters, and what was sent and is not acknowledged. Pure: the owner sends what is returned, and knows the time.
 */

import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import type { ServerFeatures } from '../features.ts';
import { Inbound } from './inbound.ts';
import { type Acknowledged, type ManagementVersion, readH } from './management.ts';
import { Outbound, type Sent } from './outbound.ts';

/** Own stanzas after which the server is asked for an acknowledgement. */
const ASK_AFTER = 20;
/** Resumption time where the server does not say (s). */
const USUAL_MAX_S = 300;

/** The version to be used with a server; undefined where it has none. */
export function managementVersion({ namespaces }: ServerFeatures): ManagementVersion | undefined {
  if (namespaces.has(NS.sm3)) return NS.sm3;
  return namespaces.has(NS.sm2) ? NS.sm2 : undefined;
}

/** What the server's `<enabled/>` says: the name of the session and how long it is kept (ms); undefined: it cannot be resumed. */
export function readEnabled({ root }: Stanza): { readonly previd: string; readonly resumableMs: number } | undefined {
  const previd = root.attr('id');
  const isResumable = root.attr('resume') === 'true' || root.attr('resume') === '1';
  if (!isResumable || previd === undefined) return undefined;
  return { previd, resumableMs: (Number(root.attr('max')) || USUAL_MAX_S) * 1000 };
}

export class OwnManagement {
  readonly version: ManagementVersion;
  /** How long the server keeps the session for us when the connection breaks (ms); undefined: not at all. */
  readonly resumableMs: number | undefined;
  readonly #previd: string;
  readonly #received = new Inbound();
  #sent = new Outbound();
  #sinceAsked = 0;
  #isAsked = false;

  /** `enabled`: the server's `<enabled/>`, after which both count. The server's `location` is not followed. */
  constructor(version: ManagementVersion, enabled: Stanza) {
    const resumption = readEnabled(enabled);
    this.version = version;
    this.#previd = resumption?.previd ?? '';
    this.resumableMs = resumption?.resumableMs;
  }

  /** A stanza of the server's has been dealt with: it may be acknowledged. */
  taken(): void {
    const ticket = this.#received.take('');
    if (ticket !== undefined) this.#received.safe(ticket);
  }

  /** A stanza has been written to the server; the text is kept until it is acknowledged. */
  sent(text: Buffer): void {
    this.#sent.sent(text);
    this.#sinceAsked += 1;
  }

  /** Stanzas that the server has not acknowledged. */
  get waiting(): number {
    return this.#sent.waiting;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#sent.bytes;
  }

  /** The server has been asked, and owes the answer. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** So much was sent that the server is to be asked. */
  get isAskDue(): boolean {
    return !this.#isAsked && this.#sinceAsked >= ASK_AFTER;
  }

  /** `<r/>` for the server. */
  ask(): string {
    this.#isAsked = true;
    this.#sinceAsked = 0;
    return `<r xmlns='${this.version}'/>`;
  }

  /** The answer to the server's `<r/>`. */
  answer(): string {
    return `<a xmlns='${this.version}' h='${this.#received.h}'/>`;
  }

  /** `<a/>` of the server. */
  acknowledged(stanza: Stanza): Acknowledged {
    this.#isAsked = false;
    const h = readH(stanza);
    if (h === undefined) return 'malformed';
    return this.#sent.acknowledge(h) ? 'ok' : 'too-high';
  }

  /** `<resume/>` for a new connection. */
  resume(): string {
    return `<resume xmlns='${this.version}' previd='${escapeXml(this.#previd)}' h='${this.#received.h}'/>`;
  }

  /**
   * The server has granted the resumption, and handled `h`. Returns what it has not: to be sent again, and counted again then.
   * Undefined when the counts do not fit: the session cannot go on.
   */
  resumed(h: number | undefined): readonly Buffer[] | undefined {
    const again = this.unacknowledged(h);
    if (!again) return undefined;
    this.#sent = Outbound.resume({ acknowledged: this.#sent.acknowledged, queue: [] });
    this.#isAsked = false;
    this.#sinceAsked = 0;
    return again;
  }

  /** What the server has not handled, as it says now, oldest first; undefined when it did not say, or the count does not fit. */
  unacknowledged(h: number | undefined): readonly Buffer[] | undefined {
    if (h === undefined || !this.#sent.acknowledge(h)) return undefined;
    return this.kept;
  }

  /** What is not acknowledged, oldest first. */
  get kept(): readonly Buffer[] {
    return this.#sent.unacknowledged().filter(isText);
  }
}

function isText(what: Sent): what is Buffer {
  return typeof what !== 'number';
}
