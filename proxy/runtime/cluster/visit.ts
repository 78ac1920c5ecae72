/** A node's part in an account that is at home on another one: inputs go there, effects come from there. */
import { entered } from '../../core/entry.ts';
import type { Passage } from '../../core/passage.ts';
import type { SessionId } from '../../core/state.ts';
import type { Fence } from '../../store/store.ts';
import type { BareKey } from '../../xml/address.ts';
import type { ChannelEnd } from './channel.ts';
import { Payload, Reading } from './envelope.ts';
import { type EffectItem, type InputItem, readInput, writeInput } from './items.ts';
import type { Message } from './messages.ts';
import type { Happening } from './part.ts';

/** How long the home may wait to be told that something was taken (ms). */
const SEEN_MS = 100;

export interface VisitOwner {
  readonly account: string;
  send(to: string, message: Message, payload?: Buffer): void;
  /** To be carried out in order. */
  effect(item: EffectItem, reading: Reading<EffectItem>): void;
  /** More waits for the home than may. */
  overfull(): void;
}

export class Visit {
  home: Fence;
  readonly channel: ChannelEnd;
  /** The home has answered. */
  isAttached = false;
  /** The home has moved, and may not have arrived yet. */
  isFollowing = false;
  readonly #owner: VisitOwner;
  #payload = new Payload<InputItem>();
  #isFlushing = false;
  #isOver = false;
  #seenTimer: NodeJS.Timeout | undefined;
  /** Sessions that have come meanwhile: the numbers of their envelopes. */
  readonly #arrivals: { readonly number: number; readonly passage: Passage }[] = [];
  /** Joins that the home has not taken yet, by session and room: the number of their envelope. */
  readonly #joins = new Map<string, number>();

  constructor(owner: VisitOwner, home: Fence, channel: ChannelEnd) {
    this.#owner = owner;
    this.home = home;
    this.channel = channel;
  }

  /** `knowledge`: what its sessions know; the channel is a new one. */
  attach(knowledge?: Buffer): void {
    const { account } = this.#owner;
    const { id } = this.channel;
    const knows = knowledge !== undefined;
    this.#owner.send(this.home.node, { kind: 'attach', account, channel: id, seen: this.#told(), knows }, knowledge);
    for (const { number, payload } of this.channel.unseen) this.#send(number, payload);
  }

  /** Tells the home. A session that wants to enter a room counts as one that is in it until the home has seen to it. */
  input(input: Happening): void {
    writeInput(this.#payload, input);
    const room = input.kind === 'session-stanza' ? entered(input.stanza) : undefined;
    if (input.kind === 'session-stanza' && room !== undefined) {
      this.#joins.set(`${input.session} ${room}`, this.channel.next);
    }
    this.#flushSoon();
  }

  /** A session has come that another node has had; `knowledge`: what it is and knows, as its home is to hear it. */
  arrive(knowledge: Buffer, passage: Passage): void {
    this.#arrivals.push({ number: this.channel.next, passage });
    this.#payload.add({ kind: 'arrive', knowledge: this.#payload.text(knowledge) });
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }

  /** Sends what has come together. */
  flush(): void {
    if (this.#isOver || this.#payload.isEmpty) return;
    const payload = this.#payload.seal();
    this.#payload = new Payload();
    this.#send(this.channel.push(payload), payload);
    if (this.channel.isOverfull) this.#owner.overfull();
  }

  #send(number: number, payload: Buffer): void {
    const { account } = this.#owner;
    const { node, epoch } = this.home;
    const { id } = this.channel;
    this.#owner.send(node, { kind: 'data', account, channel: id, epoch, number, seen: this.#told() }, payload);
  }

  #told(): number {
    clearTimeout(this.#seenTimer);
    this.#seenTimer = undefined;
    return this.channel.tell();
  }

  /** What the home says. */
  take(from: string, message: Extract<Message, { kind: 'attached' | 'data' | 'seen' }>, payload: Buffer): void {
    const { channel } = this;
    channel.acknowledge(message.seen);
    if (message.kind === 'attached') {
      this.home = { node: from, epoch: message.epoch };
      const isAgain = this.isAttached;
      this.isAttached = true;
      this.isFollowing = false;
      // What was sent behind the attachment need not be sent twice.
      if (isAgain) for (const { number, payload: sent } of channel.unseen) this.#send(number, sent);
      return;
    }
    if (message.kind === 'seen') return;
    const how = channel.take(message.number);
    if (how === 'early') this.attach();
    if (how !== 'next') return;
    const reading = new Reading<EffectItem>(payload);
    for (const item of reading.items) this.#owner.effect(item, reading);
    this.#tellSeen();
  }

  /** The home has seen to all joins up to there. */
  settled(seen: number): void {
    for (const [join, number] of this.#joins) if (number <= seen) this.#joins.delete(join);
    while (this.#arrivals[0] && this.#arrivals[0].number <= seen) this.#arrivals.shift();
  }

  /** Whether the home had not seen to this join when it had seen so much. */
  isPresumed(session: SessionId, room: BareKey, seen: number): boolean {
    return (this.#joins.get(`${session} ${room}`) ?? 0) > seen;
  }

  #tellSeen(): void {
    const { untold } = this.channel;
    if (untold === 'no') return;
    if (untold === 'soon') this.#sendSeen();
    else if (!this.#seenTimer) this.#seenTimer = setTimeout(() => this.#sendSeen(), SEEN_MS).unref();
  }

  #sendSeen(): void {
    if (this.#isOver) return;
    const { account } = this.#owner;
    const { node, epoch } = this.home;
    const seen = this.#told();
    this.#owner.send(node, { kind: 'seen', account, channel: this.channel.id, epoch, seen });
  }

  /** What the home has not taken (`seen`: as far as another one knows), for another one. */
  untaken(seen = 0): Happening[] {
    const readings = this.#unread(seen);
    // Sessions that have come meanwhile are known here, with what they know.
    const all = readings.flatMap((reading) =>
      reading.items.flatMap((item) => (item.kind === 'arrive' ? [] : [readInput(reading, item)])),
    );
    return all.filter((one): one is Happening => one.kind !== 'arrive');
  }

  /** Sessions of which the home has not heard. */
  untakenArrivals(seen: number): Passage[] {
    return this.#arrivals.filter(({ number }) => number > seen).map(({ passage }) => passage);
  }

  #unread(seen: number): Reading<InputItem>[] {
    const all = this.channel.unseen
      .filter(({ number }) => number > seen)
      .map(({ payload }) => new Reading<InputItem>(payload));
    if (!this.#payload.isEmpty) all.push(new Reading<InputItem>(this.#payload.seal()));
    return all;
  }

  /** Nothing waits for the home. */
  get isIdle(): boolean {
    return this.#payload.isEmpty && this.channel.unseen.length === 0;
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#seenTimer);
  }
}
