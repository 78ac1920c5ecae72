/** What other nodes say of an account: to its home, where that is here, or to the part of it that visits another. */
import type { Message } from './messages.ts';
import type { Part } from './part.ts';
import type { Residency } from './residency.ts';

/** Pause before a home that refuses is looked for again (ms). */
const REFUSED_MS = 20;

export class Incoming {
  readonly #part: Part;
  readonly #residency: Residency;

  constructor(part: Part, residency: Residency) {
    this.#part = part;
    this.#residency = residency;
  }

  message(from: string, message: Message, payload: Buffer): void {
    const residency = this.#residency;
    switch (message.kind) {
      case 'attach':
        if (!residency.home) this.#refuseGuest(from, message.channel);
        else if (residency.mustWait()) residency.home.guests.attachLate(from, message.channel);
        else residency.home.guests.attach(from, message, payload);
        return;
      case 'detach':
        if (!residency.mustWait()) residency.home?.guests.detach(message.channel);
        return;
      case 'attached':
      case 'data':
      case 'seen':
        this.#channelMessage(from, message, payload);
        return;
      case 'refused':
        this.#refused(message);
        return;
      case 'moved':
        residency.follow(message.epoch, message.to);
        return;
      case 'home':
        residency.moveIn(from, message.epoch, payload);
        return;
    }
  }

  #channelMessage(
    from: string,
    message: Extract<Message, { kind: 'attached' | 'data' | 'seen' }>,
    payload: Buffer,
  ): void {
    const { home, visit } = this.#residency;
    if (visit?.channel.id === message.channel && message.epoch >= visit.home.epoch) {
      visit.take(from, message, payload);
      this.#part.settle();
    } else if (message.kind === 'attached') return;
    else if (!home) {
      if (message.kind === 'data') this.#refuseGuest(from, message.channel);
    } else if (message.epoch === home.fence.epoch && !this.#residency.mustWait()) {
      home.guests.take(from, message, payload);
    }
  }

  #refuseGuest(to: string, channel: string): void {
    this.#part.node.send(to, { kind: 'refused', account: this.#part.key, channel, reason: 'no-home' });
  }

  #refused({ channel, reason }: Extract<Message, { kind: 'refused' }>): void {
    const { visit } = this.#residency;
    if (visit?.channel.id !== channel) return;
    if (this.#part.ports.sessions.size + this.#part.ports.carriers.size === 0) {
      this.#part.over();
      return;
    }
    // A home that moves may be announced before it has arrived.
    if (reason === 'no-home' && visit.isFollowing) setTimeout(() => visit.attach(), REFUSED_MS).unref();
    else this.#residency.lostHome(REFUSED_MS);
  }
}
