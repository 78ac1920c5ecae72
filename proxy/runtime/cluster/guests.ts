/**
 * The other nodes that have sessions of an account, as its home sees them: effects that concern their sessions and streams
 * go there, one envelope for each node and event; inputs come from there.
 */
import { lastHeard } from '../../core/arrival.ts';
import type { Effect } from '../../core/effects.ts';
import { entered } from '../../core/entry.ts';
import type { Input } from '../../core/inputs.ts';
import { serviceOf } from '../../core/occupancy.ts';
import type { CarrierId, SessionId } from '../../core/state.ts';
import { factsOf, type RoomFacts } from '../../core/watch.ts';
import type { BareKey } from '../../xml/address.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { Elsewhere } from '../account-runner.ts';
import { ChannelEnd } from './channel.ts';
import { Reading } from './envelope.ts';
import { Guest } from './guest.ts';
import type { HomeLink } from './home-link.ts';
import { type InputItem, readInput, writeEffect } from './items.ts';
import type { Message } from './messages.ts';
import type { MovedGuest } from './moving-house.ts';

export class Guests implements Elsewhere {
  readonly #link: HomeLink;
  readonly #guests = new Map<string, Guest>();
  readonly #places = new Map<SessionId | CarrierId, Guest>();
  readonly #late: { readonly from: string; readonly channel: string }[] = [];
  #isFlushing = false;
  #isOver = false;

  constructor(link: HomeLink) {
    this.#link = link;
  }

  // From the account's rules.

  fork(sessions: readonly SessionId[], stanza: Stanza): void {
    const byGuest = new Map<Guest, SessionId[]>();
    for (const id of sessions) {
      const guest = this.#places.get(id);
      if (!guest) continue;
      const ids = byGuest.get(guest);
      if (ids) ids.push(id);
      else byGuest.set(guest, [id]);
    }
    for (const [{ payload }, ids] of byGuest) {
      payload.add({ kind: 'fork', sessions: ids, stanza: payload.stanza(stanza) });
    }
  }

  effect(effect: Effect): void {
    switch (effect.kind) {
      case 'to-session':
      case 'relay-upstream': {
        const guest = this.#places.get(effect.session);
        if (guest) writeEffect(guest.payload, effect, false);
        return;
      }
      case 'to-carrier':
      case 'relay-downstream':
      case 'hold-carrier':
      case 'park-carrier':
      case 'suspend-carrier':
      case 'carrier-free': {
        const guest = this.#places.get(effect.carrier);
        if (!guest) return;
        const isGone = effect.kind === 'carrier-free' && !this.#link.state.carriers.has(effect.carrier);
        writeEffect(guest.payload, effect, isGone);
        if (isGone) this.#forgetPlace(guest, effect.carrier);
        return;
      }
      case 'store-join': {
        const guest = this.#places.get(effect.session);
        const facts = guest && this.#facts(effect.room);
        if (!facts) return;
        guest.payload.add({ kind: 'room', facts });
        const room = this.#link.state.rooms.get(facts.room);
        const last = room && lastHeard(room, this.#link.now());
        guest.payload.add({ kind: 'entered', room: facts.room, session: effect.session, last });
        return;
      }
      case 'store-leave': {
        const guest = this.#places.get(effect.session);
        guest?.payload.add({ kind: 'left', room: effect.room as BareKey, session: effect.session });
        return;
      }
      case 'store-occupancy': {
        const facts = this.#facts(effect.room);
        if (facts) for (const guest of this.#concerned(facts)) guest.payload.add({ kind: 'room', facts });
        return;
      }
      case 'replace-session':
      case 'rest-session':
      case 'session-behind':
        this.#places.get(effect.session)?.payload.add(effect);
        return;
      case 'close-account-stream':
        for (const guest of this.#guests.values()) {
          guest.hasCredentials = false;
          guest.payload.add({ kind: 'close-account-stream' });
        }
        return;
      default:
        // All else is done at home.
        return;
    }
  }

  #facts(key: string): RoomFacts | undefined {
    const { rooms, services } = this.#link.state;
    const room = rooms.get(key as BareKey);
    return room && factsOf(room, services.facts(serviceOf(room)));
  }

  /** Nodes whose sessions or streams are in the room. */
  #concerned({ room, carrier }: RoomFacts): Set<Guest> {
    const members = this.#link.state.rooms.get(room)?.members.keys() ?? [];
    const guests = [...members].map((id) => this.#places.get(id));
    if (carrier !== undefined) guests.push(this.#places.get(carrier));
    return new Set(guests.filter((guest) => guest !== undefined));
  }

  openAccountStream(): boolean {
    for (const guest of this.#guests.values()) {
      if (!guest.hasCredentials) continue;
      guest.payload.add({ kind: 'open-account-stream' });
      return true;
    }
    return false;
  }

  mustWait(): boolean {
    return this.#link.mustWait();
  }

  turnsOver(): void {
    this.#link.onTurn();
    if (this.#isFlushing || this.#guests.size === 0) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** Sends what has come together. */
  flush(): void {
    if (this.#isOver) return;
    for (const guest of [...this.#guests.values()]) {
      guest.flush();
      // It has not taken anything for long: it begins anew with what it knows.
      if (!guest.channel.isOverfull) continue;
      guest.refuse('no-channel');
      this.#remove(guest);
    }
  }

  /** Nothing is left of the account: what was decided last is said, and whoever has something new looks for another home. */
  farewell(): void {
    this.flush();
    for (const guest of this.#guests.values()) guest.refuse('no-home');
    this.close();
  }

  // From other nodes.

  /** A node attaches, anew or once more. */
  attach(from: string, message: Extract<Message, { kind: 'attach' }>, payload: Buffer): void {
    const { account } = this.#link;
    const { channel, seen, knows } = message;
    let guest = this.#guests.get(channel);
    if (!guest && !knows) {
      this.#link.send(from, { kind: 'refused', account, channel, reason: 'no-channel' });
      return;
    }
    const isNew = !guest;
    if (!guest) {
      for (const other of [...this.#guests.values()]) if (other.node === from) this.#remove(other);
      guest = new Guest(this.#link, from, new ChannelEnd(channel));
      this.#guests.set(channel, guest);
    }
    guest.node = from;
    guest.channel.acknowledge(seen);
    guest.confirm(true);
    if (isNew) this.#link.arrive(guest, payload);
    else this.turnsOver();
  }

  /** While nothing may be done nobody is taken in; who wants to be is told to ask again. */
  attachLate(from: string, channel: string): void {
    this.#late.push({ from, channel });
  }

  /** `no-channel`: this is the home, and they may come now. */
  refuseLate(reason: 'no-home' | 'no-channel'): void {
    const { account } = this.#link;
    for (const { from, channel } of this.#late.splice(0))
      this.#link.send(from, { kind: 'refused', account, channel, reason });
  }

  detach(channel: string): void {
    const guest = this.#guests.get(channel);
    if (guest) this.#remove(guest);
  }

  /** Inputs of another node, or word of what it has taken. */
  take(from: string, message: Extract<Message, { kind: 'data' | 'seen' }>, payload: Buffer): void {
    const guest = this.#guests.get(message.channel);
    if (!guest) {
      const { account } = this.#link;
      const { channel } = message;
      if (message.kind === 'data') this.#link.send(from, { kind: 'refused', account, channel, reason: 'no-channel' });
      return;
    }
    guest.channel.acknowledge(message.seen);
    if (message.kind === 'seen') return;
    const how = guest.channel.take(message.number);
    if (how === 'early') guest.confirm(false);
    if (how !== 'next') return;
    const reading = new Reading<InputItem>(payload);
    for (const item of reading.items) {
      if (item.kind === 'arrive') {
        this.#link.arrive(guest, Buffer.from(reading.text(item.knowledge)));
        continue;
      }
      const input = this.#heard(guest, readInput(reading, item));
      this.#note(guest, input);
      // The other node counts its session among those in the room as soon as the join is on its way.
      const room = input.kind === 'session-stanza' ? entered(input.stanza) : undefined;
      if (input.kind === 'session-stanza' && room !== undefined) guest.view.presume(input.session, room);
      this.#link.input(input);
    }
    this.turnsOver();
  }

  /** What another node says of itself, as far as it is this node that knows. */
  #heard(guest: Guest, input: Input): Input {
    if (input.kind === 'session-hibernates' && this.#link.state.sessions.get(input.session)?.push) {
      // What was sent to it meanwhile comes to its node after its client has gone.
      return { ...input, unheard: guest.underway(input.session) ?? input.unheard };
    }
    if (input.kind !== 'carriers-leave') return input;
    guest.hasCredentials = false;
    return { ...input, mayOpen: this.#link.hasCredentials() || this.hasCredentials };
  }

  /** Places and what the other node takes for granted. */
  #note(guest: Guest, item: Input): void {
    switch (item.kind) {
      case 'session-bound':
        this.place(guest, item.session, item.carrier);
        return;
      case 'session-gone':
        guest.sessions.delete(item.session);
        this.#places.delete(item.session);
        guest.view.forgetSession(item.session);
        return;
      case 'carrier-ready':
        this.place(guest, undefined, item.carrier);
        return;
      case 'carrier-lost':
        this.#forgetPlace(guest, item.carrier);
        return;
      case 'credentials':
        guest.hasCredentials = item.known;
        return;
      case 'account-stream-failed':
        if (item.final) guest.hasCredentials = false;
        return;
      default:
        return;
    }
  }

  /** Each is in one place: a node that comes back under another id brings with it what it had under the last one. */
  place(guest: Guest, session: SessionId | undefined, carrier: CarrierId): void {
    if (session !== undefined) {
      this.#places.get(session)?.sessions.delete(session);
      guest.sessions.add(session);
      this.#places.set(session, guest);
    }
    this.#places.get(carrier)?.carriers.delete(carrier);
    guest.carriers.add(carrier);
    this.#places.set(carrier, guest);
  }

  #forgetPlace(guest: Guest, carrier: CarrierId): void {
    guest.carriers.delete(carrier);
    this.#places.delete(carrier);
  }

  /** The node is dead: its streams have ended, its clients are gone. */
  lost(node: string): void {
    for (const guest of [...this.#guests.values()]) if (guest.node === node) this.#remove(guest);
  }

  /** Where a stream or session is, if it is not here. */
  guestOf(id: SessionId | CarrierId): Guest | undefined {
    return this.#places.get(id);
  }

  #remove(guest: Guest): void {
    guest.close();
    this.#guests.delete(guest.channel.id);
    const { sessions, carriers } = guest;
    for (const id of [...sessions, ...carriers]) this.#places.delete(id);
    for (const carrier of carriers) this.#link.input({ kind: 'carrier-lost', carrier });
    for (const session of sessions) this.#link.input({ kind: 'session-gone', session });
  }

  get sessionCount(): number {
    let count = 0;
    for (const { sessions } of this.#guests.values()) count += sessions.size;
    return count;
  }

  get hasCredentials(): boolean {
    return [...this.#guests.values()].some((guest) => guest.hasCredentials);
  }

  /** Where the account is best at home, if not here: where most of its rooms are carried, else where it has sessions. */
  best(): Guest | undefined {
    let best: Guest | undefined;
    let bestRank = 0;
    for (const guest of this.#guests.values()) {
      let rooms = 0;
      for (const id of guest.carriers) rooms += this.#link.state.carriers.get(id)?.rooms.size ?? 0;
      const rank = guest.sessions.size === 0 ? 0 : 1 + rooms;
      if (rank > bestRank) {
        best = guest;
        bestRank = rank;
      }
    }
    return best;
  }

  /** Sends again what may be lost. */
  resume(): void {
    this.refuseLate('no-channel');
    for (const guest of this.#guests.values()) guest.confirm(true);
  }

  /** All of it, for another home. */
  get moved(): MovedGuest[] {
    return [...this.#guests.values()].map((guest) => guest.moved);
  }

  /** As another home has had it. It is told all that can be seen of the account. */
  restore({ node, channel, sessions, carriers, hasCredentials }: MovedGuest): void {
    const guest = new Guest(this.#link, node, ChannelEnd.restore(channel));
    guest.hasCredentials = hasCredentials;
    this.#guests.set(channel.id, guest);
    for (const session of sessions) {
      guest.sessions.add(session);
      this.#places.set(session, guest);
    }
    for (const carrier of carriers) this.place(guest, undefined, carrier);
  }

  close(): void {
    this.#isOver = true;
    for (const guest of this.#guests.values()) guest.close();
  }
}
