/** Another node with sessions of an account, as the account's home sees it: what goes there, and what it has been told. */
import { wordOf } from '../../core/nudge.ts';
import type { CarrierId, SessionId } from '../../core/state.ts';
import type { ChannelEnd } from './channel.ts';
import { Payload, Reading } from './envelope.ts';
import type { HomeLink } from './home-link.ts';
import type { EffectItem } from './items.ts';
import type { MovedGuest } from './moving-house.ts';
import { ViewSent } from './view-sent.ts';

/** How long the other end may wait to be told that something was taken (ms). */
const SEEN_MS = 100;

export class Guest {
  node: string;
  readonly channel: ChannelEnd;
  readonly sessions = new Set<SessionId>();
  readonly carriers = new Set<CarrierId>();
  readonly view = new ViewSent();
  /** It can open an account stream. */
  hasCredentials = false;
  /** What goes with the next envelope. */
  payload = new Payload<EffectItem>();
  readonly #link: HomeLink;
  #seenTimer: NodeJS.Timeout | undefined;

  constructor(link: HomeLink, node: string, channel: ChannelEnd) {
    this.#link = link;
    this.node = node;
    this.channel = channel;
  }

  /** Sends what has come together, and what has changed in what it sees; if that is nothing, at least what was taken. */
  flush(): void {
    const view = this.view.changes(this.#link.state, this.sessions, this.channel.seen);
    const { payload } = this;
    if (payload.isEmpty && !view) {
      this.#tellSeen();
      return;
    }
    this.payload = new Payload();
    if (view) payload.add(view);
    const sealed = payload.seal();
    this.#send(this.channel.push(sealed), sealed);
  }

  /** Text of the last word of a room that is on its way to a session there, as the other end has not taken it. */
  underway(session: SessionId): string | undefined {
    if (!this.payload.isEmpty) this.flush();
    for (const { payload } of this.channel.unseen.toReversed()) {
      const reading = new Reading<EffectItem>(payload);
      for (const item of reading.items.toReversed()) {
        if (item.kind !== 'fork' || !item.sessions.includes(session)) continue;
        const text = wordOf(reading.stanza(item.stanza));
        if (text !== '') return text;
      }
    }
    return undefined;
  }

  #send(number: number, payload: Buffer): void {
    const { account, epoch } = this.#link;
    const { id } = this.channel;
    this.#link.send(this.node, { kind: 'data', account, channel: id, epoch, number, seen: this.#told() }, payload);
  }

  #told(): number {
    clearTimeout(this.#seenTimer);
    this.#seenTimer = undefined;
    return this.channel.tell();
  }

  /** Says what was taken, soon or now. */
  #tellSeen(): void {
    const { untold } = this.channel;
    if (untold === 'no') return;
    if (untold === 'soon') this.#sendSeen();
    else this.#seenTimer ??= setTimeout(() => this.#sendSeen(), SEEN_MS).unref();
  }

  #sendSeen(): void {
    const { account, epoch } = this.#link;
    this.#link.send(this.node, { kind: 'seen', account, channel: this.channel.id, epoch, seen: this.#told() });
  }

  /** Says that this is the home, and what was taken; `again`: and sends again what the other end has not taken. */
  confirm(again: boolean): void {
    const { account, epoch } = this.#link;
    this.#link.send(this.node, { kind: 'attached', account, channel: this.channel.id, epoch, seen: this.#told() });
    if (again) for (const { number, payload } of this.channel.unseen) this.#send(number, payload);
  }

  /** It must look for a home; `no-channel`: which is here, but knows nothing of it. */
  refuse(reason: 'no-home' | 'no-channel'): void {
    const { account } = this.#link;
    this.#link.send(this.node, { kind: 'refused', account, channel: this.channel.id, reason });
  }

  /** All of it, for another home. */
  get moved(): MovedGuest {
    const { node, channel, sessions, carriers, hasCredentials } = this;
    return { node, channel: channel.state, sessions: [...sessions], carriers: [...carriers], hasCredentials };
  }

  close(): void {
    clearTimeout(this.#seenTimer);
  }
}
