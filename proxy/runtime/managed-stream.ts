/**
 * Stream management of one session at work (XEP-0198): which stanza is whose in the counters, what the peers say about them,
 * and what is sent again after a resumption. Knows no sockets: texts leave by the ways out given.
 */

import type { StreamErrorToSend } from '../net/leg.ts';
import { lacksManagement, type ServerFeatures } from '../stream/features.ts';
import type { Ticket } from '../stream/management/inbound.ts';
import type {
  Acknowledged,
  ManagedSide,
  ManagementSnapshot,
  ManagementVersion,
} from '../stream/management/management.ts';
import { Management, readH } from '../stream/management/management.ts';
import type { Sent } from '../stream/management/outbound.ts';
import { type OwnTerms, ownEnabled, stamped } from '../stream/management/own.ts';
import { readEnabled } from '../stream/management/own-management.ts';
import { bareOf } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { NS } from '../xml/names.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import type { BoundSession } from './bound-session.ts';
import type { AccountDeps } from './deps.ts';

/** Ways out. `stanza…`: a stanza that counts; the others: `<r/>`, `<a/>` and the like. */
export interface ManagedLines {
  toClient(xml: string): void;
  toServer(xml: string): void;
  clientAsked(): void;
  stanzaToClient(text: Buffer): void;
  stanzaToServer(text: Buffer): void;
  postponed?(side: ManagedSide): void;
}

/** What of the proxy's own may wait for a client that does not acknowledge it, or is not there. */
export interface ManagedLimits {
  readonly stanzas: number;
  readonly bytes: number;
}

/** A managed stream without connections. */
export interface ManagedSnapshot {
  readonly version: ManagementVersion;
  /** The server's name for the session, and how long it keeps it (ms). */
  readonly previd: string;
  readonly resumableMs: number;
  readonly counters: ManagementSnapshot;
  /** What of an earlier resumption the client is still to be given. */
  readonly again: readonly Sent[];
}

/** What a management element asks of the session. */
export type Managed = 'not-management' | 'done' | 'too-high' | 'unexpected';

export class ManagedStream {
  readonly management: Management;
  readonly #lines: ManagedLines;
  /** Terms of the proxy's own, where the server has no stream management. */
  readonly #own: OwnTerms | undefined;
  /** The server has agreed: from here on both count. */
  isEnabled = false;
  /** How long the server keeps the session (ms); undefined: it cannot be resumed. */
  resumableMs: number | undefined;
  /** The server's name for the session. */
  previd = '';
  /** After a resumption: what the client is still to be given, tickets standing for what the server sends again. */
  #again: Sent[] = [];

  constructor(version: ManagementVersion, lines: ManagedLines, own?: OwnTerms) {
    this.management = new Management(version, lines, own !== undefined);
    this.#lines = lines;
    this.#own = own;
  }

  /** The server takes no part in it. */
  get isOwn(): boolean {
    return this.#own !== undefined;
  }

  get version(): string {
    return this.management.version;
  }

  /** The server's `<enabled/>`, as the client may have it: without the address of another way in. */
  enabled(stanza: Stanza): Buffer {
    const { root } = stanza;
    const resumption = readEnabled(stanza);
    this.isEnabled = true;
    if (resumption) {
      this.previd = resumption.previd;
      this.resumableMs = resumption.resumableMs;
    }
    const edit = new Edit(stanza);
    if (root.attr('location') !== undefined) edit.removeAttr(root, 'location');
    return edit.toBuffer();
  }

  /** The proxy's own answer to the client's `<enable/>`, where the server takes no part. */
  enabledHere(enable: Stanza, own: OwnTerms): string {
    const { xml, kept } = ownEnabled(enable, own);
    this.isEnabled = true;
    if (kept) {
      this.previd = kept.previd;
      this.resumableMs = kept.ms;
    }
    return xml;
  }

  /**
   * A client's stanza has come. Undefined: it came before the resumption, and has been acted on. A client may add a delay when
   * it sends again (XEP-0198 section 5): the length tells only stanzas without an id apart.
   */
  takeFromClient(stanza: Stanza): Ticket | undefined {
    return this.management.fromClient.take(`${stanza.name} ${stanza.id ?? stanza.length} ${stanza.to ?? ''}`);
  }

  /** A server's stanza has come. Undefined as above. A server may add a delay when it sends again: the length does not count. */
  takeFromServer(stanza: Stanza): Ticket | undefined {
    if (!this.isEnabled) return undefined;
    const ticket = this.management.fromServer.take(`${stanza.name} ${stanza.id ?? ''} ${stanza.from ?? ''}`);
    if (this.#again.length > 0) this.#giveUpTo(ticket);
    return ticket;
  }

  /** What had its place before this stanza of the server's goes first. */
  #giveUpTo(ticket: Ticket | undefined): void {
    const cut = ticket === undefined ? -1 : this.#again.indexOf(ticket);
    // A stanza that the client has not been sent before comes behind all that it has.
    const before = cut < 0 ? (ticket === undefined ? [] : this.#again.splice(0)) : this.#again.splice(0, cut + 1);
    for (const what of before) if (typeof what !== 'number') this.#lines.stanzaToClient(what);
  }

  /** A stanza of the proxy's own has gone, or waits, to the client. */
  ownToClient(text: Buffer): void {
    if (this.isEnabled) this.management.sentToClient(text);
  }

  /**
   * Whether a stanza of the proxy's own has to wait behind those that the client is still to be given after a resumption; it is
   * kept then, and goes in its turn.
   */
  keepsBack(text: Buffer): boolean {
    if (this.#again.length === 0) return false;
    this.#again.push(text);
    return true;
  }

  /** A stanza of a server that does not send again has been relayed, or waits: its text is kept. */
  keptForClient(stanza: Stanza, text: Buffer): void {
    if (this.#own) this.management.sentToClient(stamped(stanza, text, this.#own));
  }

  ownToServer(text: Buffer): void {
    this.management.sentToServer(text);
  }

  /** Whether more than this waits for the client. */
  exceeds(limits: ManagedLimits): boolean {
    const { waiting, bytes } = this.management.toClient;
    const again = this.#again.reduce<number>((sum, what) => sum + (typeof what === 'number' ? 0 : what.length), 0);
    return bytes + again > limits.bytes || waiting + this.#again.length > limits.stanzas;
  }

  /** Stanzas of the proxy's own that the client has not acknowledged, in order. */
  get unacknowledged(): readonly Buffer[] {
    const all = [...this.management.toClient.unacknowledged(), ...this.#again];
    return all.filter((what) => typeof what !== 'number');
  }

  /**
   * All that the client has not acknowledged, in order, for somebody else to see to: the texts of relayed stanzas are taken from `relayed`, by
   * ticket. Undefined: one of them is not there. Presence is of no use to anybody else.
   */
  owed(relayed: (ticket: Ticket) => Buffer | undefined): readonly Buffer[] | undefined {
    const owed: Buffer[] = [];
    for (const what of [...this.management.toClient.unacknowledged(), ...this.#again]) {
      const text = typeof what === 'number' ? relayed(what) : what;
      if (text !== undefined) owed.push(text);
      else if (typeof what === 'number' && !this.#isPresence(what)) return undefined;
    }
    return owed;
  }

  #isPresence(ticket: Ticket): boolean {
    // One that `h` covers was safe before.
    return this.management.fromServer.markOf(ticket)?.startsWith('presence ') ?? true;
  }

  /** What the client has not acknowledged is seen to by somebody else: the server need not keep it. */
  settle(): void {
    for (const what of this.management.toClient.unacknowledged()) {
      if (typeof what === 'number') this.management.serverSafe(what);
    }
    this.management.settleWithServer();
  }

  /** Text of the last message of the proxy's own, one from a room, that the client has not acknowledged. */
  unheard(): string | undefined {
    const waiting = this.management.toClient.unacknowledged();
    for (let at = waiting.length - 1; at >= 0; at -= 1) {
      const what = waiting[at];
      if (what === undefined || typeof what === 'number' || !what.includes('<body')) continue;
      const text = bodyOf(what);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** `<r/>` and `<a/>` of the client. */
  fromClient(stanza: Stanza): Acknowledged {
    if (stanza.name === 'a') return this.management.clientAcknowledges(stanza);
    if (stanza.name !== 'r') return 'malformed';
    this.management.clientRequests();
    return 'ok';
  }

  /** `<r/>` and `<a/>` of the server. It asks when it has sent again all that it had: what is still kept back may go. */
  fromServer(stanza: Stanza): Acknowledged {
    if (stanza.name === 'a') return this.management.serverAcknowledges(stanza);
    if (stanza.name !== 'r') return 'malformed';
    this.giveRest();
    this.management.serverRequests();
    return 'ok';
  }

  /** `<resume/>` for the server in place of a client's that has handled `h`; undefined: there is nothing to resume. */
  prepareResume(h: number): string | undefined {
    const told = this.resumableMs === undefined ? undefined : this.management.prepareResume(h);
    return told === undefined
      ? undefined
      : `<resume xmlns='${this.version}' previd='${escapeXml(this.previd)}' h='${told}'/>`;
  }

  /**
   * The server has granted it. The client is told, both get again what they have not handled. False: the counts do not fit,
   * and the session cannot go on.
   */
  resume(h: number, answer: Stanza): boolean {
    const serverH = readH(answer);
    const again = serverH === undefined ? undefined : this.management.resume(h, serverH);
    if (!again) return false;
    const { version, previd } = this;
    this.#lines.toClient(
      `<resumed xmlns='${version}' previd='${escapeXml(previd)}' h='${this.management.fromClient.h}'/>`,
    );
    for (const text of again.toServer) this.#lines.stanzaToServer(text);
    // What an earlier resumption had not come to is behind all that the client has been sent since.
    this.#again = [...again.toClient, ...this.#again];
    const first = this.#again.findIndex((what) => typeof what === 'number');
    for (const what of this.#again.splice(0, first < 0 ? this.#again.length : first)) {
      if (typeof what !== 'number') this.#lines.stanzaToClient(what);
    }
    return true;
  }

  /** What another node, or this one later, needs to go on; while both connections are gone and nobody tries to resume. */
  snapshot(): ManagedSnapshot {
    const { previd, resumableMs = 0, management } = this;
    return {
      version: management.version,
      previd,
      resumableMs,
      counters: management.snapshot(),
      again: [...this.#again],
    };
  }

  /** Goes on where the snapshot was made. */
  restore({ previd, resumableMs, counters, again }: ManagedSnapshot): void {
    this.isEnabled = true;
    this.previd = previd;
    this.resumableMs = resumableMs;
    this.#again = [...again];
    this.management.restore(counters);
  }

  /** The proxy itself grants it. The client is told, and gets again what it has not handled. False: the counts do not fit. */
  resumeOwn(h: number): boolean {
    const again = this.management.resumeOwn(h);
    if (!again) return false;
    const { version, previd } = this;
    this.#lines.toClient(
      `<resumed xmlns='${version}' previd='${escapeXml(previd)}' h='${this.management.fromClient.h}'/>`,
    );
    for (const what of again) if (typeof what !== 'number') this.#lines.stanzaToClient(what);
    return true;
  }

  /** The server has nothing more to send again. */
  giveRest(): void {
    for (const what of this.#again.splice(0)) if (typeof what !== 'number') this.#lines.stanzaToClient(what);
  }
}

/** The body of a live message; what a room replays as history is old. */
function bodyOf(text: Buffer): string | undefined {
  try {
    const { name, root } = parseStanza(text);
    const isLive = name === 'message' && root.child('delay', NS.delay) === undefined;
    return isLive ? root.child('body')?.text() : undefined;
  } catch {
    // It leans on a declaration of an earlier stream header of the client's: another message will have to do.
    return undefined;
  }
}

export function isManagement(stanza: Stanza): boolean {
  return stanza.ns === NS.sm3 || stanza.ns === NS.sm2;
}

/** Whether the server has it. */
export function hasManagement(features: ServerFeatures): boolean {
  return features.namespaces.has(NS.sm3) || features.namespaces.has(NS.sm2);
}

/** Where the server has none: on what terms the proxy itself manages the stream of this client. */
export function ownTerms(
  { jid, features }: Pick<BoundSession, 'jid' | 'features'>,
  deps: AccountDeps,
): OwnTerms | undefined {
  if (!deps.offerStreamManagement || !lacksManagement(features)) return undefined;
  return { bare: bareOf(jid), mostMs: deps.config.hibernation.timeMs, newId: deps.token, now: deps.now };
}

/** The answer to an element that comes out of turn (XEP-0198 section 6). */
export function unexpected(stanza: Stanza): string {
  return `<failed xmlns='${stanza.ns}'><unexpected-request xmlns='${NS.stanzaErrors}'/></failed>`;
}

/** The stream error for an `h` above what was sent (XEP-0198 section 4). */
export function tooHigh(stanza: Stanza): StreamErrorToSend {
  const h = readH(stanza) ?? 0;
  return {
    condition: 'undefined-condition',
    text: 'More stanzas were acknowledged than sent',
    extra: `<handled-count-too-high xmlns='${stanza.ns}' h='${h}'/>`,
  };
}
