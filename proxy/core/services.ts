/**
 * What is known of MUC services, by domain: learned from their answers, shared by the accounts of a node.
 */
export interface ServiceFacts {
  /** The service refuses a nick to a second session of the same account (XEP-0045 section 7.2.8 leaves it free). */
  refusesSharedNick: boolean;
  /** Whether its rooms answer a ping to one's own nick (XEP-0410): one has, or one that speaks never did. */
  selfPing: 'unknown' | 'answered' | 'never';
}

const NOTHING_KNOWN: Readonly<ServiceFacts> = { refusesSharedNick: false, selfPing: 'unknown' };

/** Bounded: at the limit the service learned first is forgotten (it will be learned again). */
export class Services {
  readonly #facts = new Map<string, ServiceFacts>();
  readonly #limit: number;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  /** Whether a join to a room of this domain has succeeded before. */
  isMuc(domain: string): boolean {
    return this.#facts.has(domain);
  }

  facts(domain: string): Readonly<ServiceFacts> {
    return this.#facts.get(domain) ?? NOTHING_KNOWN;
  }

  /** A room of this domain has admitted an occupant. */
  learn(domain: string): void {
    if (this.#facts.has(domain)) return;
    if (this.#facts.size >= this.#limit) {
      const first = this.#facts.keys().next();
      if (!first.done) this.#facts.delete(first.value);
    }
    this.#facts.set(domain, { ...NOTHING_KNOWN });
  }

  /** What the service makes of self-pings; kept for services that are known as such. */
  learnSelfPing(domain: string, selfPing: 'answered' | 'never'): void {
    const facts = this.#facts.get(domain);
    if (facts) facts.selfPing = selfPing;
  }

  /** The service answered `conflict` to a second session of an account with the account's nick. */
  learnRefusesSharedNick(domain: string): void {
    this.learn(domain);
    const facts = this.#facts.get(domain);
    if (facts) facts.refusesSharedNick = true;
  }
}
