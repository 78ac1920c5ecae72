/**
 * What a client says of itself on its stream (presence to all, activity, carbons, push), as far as the stream's use for the
 * account's rooms changes when or whether the server hears it.
 */
import { changesBookmarks, isBookmarkEvent } from '../core/bookmarks.ts';
import type { SessionId } from '../core/state.ts';
import { statedIn } from '../core/stated.ts';
import { changesSubscription } from '../core/subscription.ts';
import type { Seat } from '../core/view.ts';
import { type BareKey, bareKey } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Account } from './account.ts';
import { heldPresence, keptPresence } from './held-presence.ts';
import { HoldBack } from './hold-back.ts';
import type { SessionLegs } from './session-legs.ts';
import { Withheld } from './withheld.ts';

/** Requests to switch carbons or push, to change bookmarks or a subscription to a room, that may be unanswered at a time. */
const MOST_REQUESTS = 16;

/** A switch of the session's at the server, and how it stands; or the user's bookmarks, or a subscription to a room (MUC/Sub). */
type Switched =
  | { readonly kind: 'session-carbons' | 'session-push'; readonly enabled: boolean }
  | { readonly kind: 'bookmarks-changed' }
  | { readonly kind: 'subscription-changed'; readonly room: BareKey };

export interface ClientStateOptions {
  readonly id: SessionId;
  readonly seat: Seat;
  readonly account: Account;
  readonly legs: SessionLegs;
  readonly relay: (stanza: Stanza) => void;
  /** See `ClientState.shown`. */
  readonly shown: string | undefined;
}

export class ClientState {
  readonly #options: ClientStateOptions;
  /** Broadcast presences kept back until no room hangs on the stream. */
  readonly #withheld = new Withheld();
  /** Contacts have been told that nobody is there. */
  #isParked = false;
  /** The server has been told that the client is inactive (XEP-0352). */
  #isInactive = false;
  /** Room traffic that an inactive client need not have at once; undefined: it is active. */
  #held: HoldBack | undefined;
  #shown: string | undefined;
  /** The client's requests to switch carbons or push, or to change bookmarks, by id: what holds when the server has confirmed it. */
  #switches: Map<string, Switched> | undefined;

  constructor(options: ClientStateOptions) {
    this.#options = options;
    this.#shown = options.shown;
  }

  /** The presence that the server has the client's contacts see (`keptPresence`); undefined: it holds it for unavailable. */
  get shown(): string | undefined {
    return this.#shown;
  }

  /** Broadcast presence: the account learns of it; an `unavailable` would leave all rooms that the stream carries. */
  broadcast(stanza: Stanza): void {
    const { account, id, relay } = this.#options;
    const isAvailable = stanza.type === undefined;
    if (isAvailable && this.#isParked) {
      this.#isParked = false;
      this.#withheld.take();
    }
    const mustWait = !this.#withheld.isEmpty || !isAvailable;
    if (mustWait) this.#withheld.add(stanza);
    const { show, priority } = statedIn(stanza);
    account.input({
      kind: 'session-presence',
      session: id,
      available: isAvailable,
      show: isAvailable ? show : '',
      priority,
      ...(!isAvailable && { farewell: stanza }),
    });
    if (mustWait) return;
    this.#shown = keptPresence(stanza);
    relay(stanza);
  }

  /** No room hangs on the stream any more: what was kept back may go. */
  passWithheld(): void {
    this.#isParked = false;
    for (const stanza of this.#withheld.take()) {
      this.#shown = stanza.type === undefined ? keptPresence(stanza) : undefined;
      this.#options.relay(stanza);
    }
  }

  /** XEP-0352. While the stream carries rooms the server would hold back the siblings' traffic too (S10). */
  activity(stanza: Stanza): void {
    const isInactive = stanza.name === 'inactive';
    if (isInactive) this.#held ??= new HoldBack();
    else this.#becomeActive();
    if (isInactive && this.#options.seat.carrier.rooms.size > 0) return;
    this.#isInactive = isInactive;
    this.#options.relay(stanza);
  }

  /** The stream is about to carry rooms: the server must hold nothing back. */
  wake(): void {
    if (!this.#isInactive) return;
    this.#isInactive = false;
    this.#options.legs.server.send(`<active xmlns='${NS.csi}'/>`);
  }

  /** After a resumption a client is active (XEP-0352 section 5.2). */
  resumed(): void {
    this.#isInactive = false;
    this.#becomeActive();
  }

  /** The client is inactive, and texts for it may be given to `holdBack`. */
  get mayHoldBack(): boolean {
    return this.#held !== undefined;
  }

  /** Room traffic that may wait for something that may not. `occupant`: whose presence it is. */
  holdBack(text: Buffer, occupant: string | undefined): void {
    if (!this.#held) return;
    this.#held.add(text, occupant);
    if (this.#held.isFull) this.passHeld();
  }

  /** Something is about to go to the client: what has waited goes before it. */
  passHeld(): void {
    if (!this.#held || this.#held.isEmpty) return;
    for (const text of this.#held.take()) this.#options.legs.deliver(text);
  }

  #becomeActive(): void {
    this.passHeld();
    this.#held = undefined;
  }

  /**
   * XEP-0280 section 4, XEP-0357 section 5: what the client switches on or off is true when the server has confirmed it; so is what
   * it does to the user's bookmarks.
   */
  asksToSwitch(stanza: Stanza): void {
    this.#switches ??= new Map();
    if (stanza.id === undefined || this.#switches.size >= MOST_REQUESTS) return;
    if (changesBookmarks(stanza)) {
      this.#switches.set(stanza.id, { kind: 'bookmarks-changed' });
      return;
    }
    if (changesSubscription(stanza)) {
      const room = bareKey(stanza.to ?? '');
      if (room !== undefined) this.#switches.set(stanza.id, { kind: 'subscription-changed', room });
      return;
    }
    const [child] = stanza.root.children;
    const kind = child?.ns === NS.push ? 'session-push' : 'session-carbons';
    this.#switches.set(stanza.id, { kind, enabled: child?.name === 'enable' });
  }

  /** A stanza of the server's for the client, which may be that confirmation, or tell of changed bookmarks (XEP-0402). */
  told(stanza: Stanza): void {
    if (stanza.name === 'iq') this.#answered(stanza);
    else if (stanza.name === 'message') this.#mindEvent(stanza);
  }

  #mindEvent(stanza: Stanza): void {
    const { account, id, seat } = this.#options;
    if (!seat.account.settings.bookmarks || stanza.from !== seat.account.bare || !isBookmarkEvent(stanza)) return;
    account.input({ kind: 'bookmarks-changed', session: id });
  }

  #answered(stanza: Stanza): void {
    if (this.#switches === undefined) return;
    const id = stanza.id ?? '';
    const switched = this.#switches.get(id);
    if (switched === undefined || stanza.type === 'get' || stanza.type === 'set') return;
    this.#switches.delete(id);
    if (this.#switches.size === 0) this.#switches = undefined;
    const { account, id: session } = this.#options;
    if (stanza.type === 'result') account.input({ ...switched, session });
  }

  /** The client has gone and the stream stays for its rooms: it takes no one-to-one traffic from now on. */
  hold(token: string): void {
    // It takes nothing already, and is about to be given back.
    if (this.#isParked) return;
    this.#takeNothing(token, this.#shown === undefined ? undefined : heldPresence(this.#shown));
  }

  /**
   * The same for long: contacts see that nobody is there. Without capabilities no events come either (XEP-0163 section 4.2). Without a
   * token the client is still there, though unavailable, and may be available again.
   */
  park(token: string | undefined): void {
    this.#isParked = true;
    const nobody = '<presence><show>xa</show><priority>-1</priority></presence>';
    this.#takeNothing(token, this.#shown === undefined ? undefined : nobody);
  }

  #takeNothing(token: string | undefined, presence: string | Buffer | undefined): void {
    const { seat, legs } = this.#options;
    if (presence) legs.outlet.send(undefined, presence);
    if (token === undefined) return;
    if (seat.session.carbons) {
      legs.outlet.send(undefined, `<iq type='set' id='${token}'><disable xmlns='${NS.carbons}'/></iq>`);
    }
  }
}
