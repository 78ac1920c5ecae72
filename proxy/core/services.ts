/**
 * What the accounts of a node share: what is known of MUC services, by domain, learned from their answers; and texts that several of them keep.
 */
import { TextPool } from './text-pool.ts';

export interface ServiceFacts {
  /** A room of it has admitted an occupant, and it says itself that it is a service of rooms. */
  isMuc: boolean;
  /**
   * Until when (epoch ms) it is taken to refuse a nick to a second session of the same account (XEP-0045 section 7.2.8 leaves it free); 0:
   * it is not.
   */
  nickRefusedUntil: number;
  /** For how long that is believed the next time (ms). */
  refusalMs: number;
  /** Until when (epoch ms) it is known that it does not. */
  nickSharedUntil: number;
  /** Whether its rooms answer a ping to one's own nick (XEP-0410): one has, or one that speaks never did. */
  selfPing: 'unknown' | 'answered' | 'never';
}

/** What it makes of a nick that two sessions of one account ask for. */
export type NickFacts = Pick<ServiceFacts, 'nickRefusedUntil' | 'nickSharedUntil'>;

/**
 * For how long a refused nick is believed (ms): doubled each time up to the most. Asking anew costs a join that is refused, which nobody sees;
 * not asking costs others a leave and a join at each hand-over, for a refusal that may have had another reason.
 */
export const REFUSAL_MS = 600_000;
const REFUSAL_MOST_MS = 86_400_000;
/** For how long two streams that have shared a nick prove that the service lets them (ms). */
const SHARED_MS = 86_400_000;

const NOTHING_KNOWN: Readonly<ServiceFacts> = {
  isMuc: false,
  nickRefusedUntil: 0,
  refusalMs: REFUSAL_MS,
  nickSharedUntil: 0,
  selfPing: 'unknown',
};

/** Bounded: at the limit the service learned first is forgotten (it will be learned again). */
export class Services {
  readonly #facts = new Map<string, ServiceFacts>();
  readonly #limit: number;
  readonly texts = new TextPool();
  #version = 0;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  /** Changes whenever another service becomes known. */
  get version(): number {
    return this.#version;
  }

  /** Whether a join to a room of this domain has succeeded before. */
  isMuc(domain: string): boolean {
    return this.facts(domain).isMuc;
  }

  facts(domain: string): Readonly<ServiceFacts> {
    return this.#facts.get(domain) ?? NOTHING_KNOWN;
  }

  /** A room of this domain has admitted an occupant. */
  learn(domain: string): void {
    const facts = this.#of(domain);
    if (facts.isMuc) return;
    facts.isMuc = true;
    this.#version += 1;
  }

  /** Its facts, to be changed. What an address does with nicks does not make it a service of rooms: it may be anybody's client. */
  #of(domain: string): ServiceFacts {
    let facts = this.#facts.get(domain);
    if (facts) return facts;
    if (this.#facts.size >= this.#limit) {
      const first = this.#facts.keys().next();
      if (!first.done) this.#facts.delete(first.value);
    }
    facts = { ...NOTHING_KNOWN };
    this.#facts.set(domain, facts);
    return facts;
  }

  /** What the service makes of self-pings; kept for services that are known as such. */
  learnSelfPing(domain: string, selfPing: 'answered' | 'never'): void {
    const facts = this.#facts.get(domain);
    if (facts?.isMuc) facts.selfPing = selfPing;
  }

  /** Whether a hand-over there has to leave first and join then. */
  refusesSharedNick(domain: string, now: number): boolean {
    return this.facts(domain).nickRefusedUntil > now;
  }

  /**
   * The service answered `conflict` to a second session of an account with the account's nick. Where such sessions have been seen to share
   * one that is a matter of this room: somebody else may have a claim to the nick.
   */
  noteNickRefused(domain: string, now: number): void {
    const facts = this.#of(domain);
    if (facts.nickSharedUntil > now || facts.nickRefusedUntil > now) return;
    facts.nickRefusedUntil = now + facts.refusalMs;
    facts.refusalMs = Math.min(facts.refusalMs * 2, REFUSAL_MOST_MS);
  }

  /** Another node has found out one or the other, and believes it for as long. */
  hearNicks(domain: string, { nickRefusedUntil, nickSharedUntil }: NickFacts, now: number): void {
    if (nickSharedUntil > now) {
      const shared = Math.min(nickSharedUntil, now + SHARED_MS);
      this.#share(this.#of(domain), Math.max(this.facts(domain).nickSharedUntil, shared));
    }
    if (nickRefusedUntil <= now) return;
    const facts = this.#of(domain);
    if (facts.nickSharedUntil > now) return;
    facts.nickRefusedUntil = Math.max(facts.nickRefusedUntil, Math.min(nickRefusedUntil, now + REFUSAL_MOST_MS));
  }

  /** Two sessions of one account have had one nick at the same time. */
  noteNickShared(domain: string, now: number): void {
    this.#share(this.#of(domain), now + SHARED_MS);
  }

  #share(facts: ServiceFacts, nickSharedUntil: number): void {
    Object.assign(facts, { nickRefusedUntil: 0, refusalMs: REFUSAL_MS, nickSharedUntil });
  }

  /** What was taken for a refusal had another reason: the nick is refused to an account that has no place in the room, too. */
  forgetNickRefused(domain: string): void {
    const facts = this.#facts.get(domain);
    if (facts) Object.assign(facts, { nickRefusedUntil: 0, refusalMs: REFUSAL_MS });
  }
}
