/**
 * A session between two connections (XEP-0198 section 5): how long it waits for its client, attempts to resume it, and the
 * resumption. Hibernation is the server's own, and here is what goes with it; where the server has none (`legs.isOwn`), the
 * session waits here, and its stream at the server goes on.
 */
import type { Passage } from '../core/passage.ts';
import type { SessionId } from '../core/state.ts';
import { type Leg, SILENT } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Stanza } from '../xml/stanza.ts';
import type { Account } from './account.ts';
import type { ResumedSession } from './bound-session.ts';
import { refusal } from './cluster/refusal.ts';
import type { SessionLegs } from './session-legs.ts';
import type { SessionRecord } from './session-record.ts';
import type { LegsSnapshot } from './session-snapshot.ts';

/** How long after the server's own time a session that was not resumed is given up (ms): the server decides first. */
const EXPIRY_MARGIN_MS = 5000;
/** How long an attempt to resume may take (ms). */
const RESUME_MS = 30_000;

/** The session, as far as its hibernation goes. */
export interface Sleeper {
  readonly id: SessionId;
  readonly legs: SessionLegs;
  readonly account: Account;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'drops' | 'streamErrors'>;
  /** The client has gone for good, or the server has. */
  isOver(): boolean;
  /** Its stream may be kept for its rooms when it is not resumed. */
  mayPark(): boolean;
  /** There is no client any more, and there may be one again. */
  asleep(): void;
  /** The session goes on elsewhere: what was kept back for the rooms on its stream goes with it. */
  leaves(): void;
  /** The session goes on over new connections. */
  awake(): void;
  /** The client has gone for good. */
  gone(reason: string): void;
  /** The server has gone for good. */
  lost(): void;
  /** The session cannot go on, neither with a client nor with the server. */
  broken(): void;
}

/** What its owner hears of a session. */
export interface SessionEvents {
  /** Nothing is left of it. */
  over(): void;
  /** It can be resumed by this name from now on. */
  resumable(previd: string): void;
}

export class Hibernation {
  readonly #sleeper: Sleeper;
  /** The end of the server's time. */
  #expiry: NodeJS.Timeout | undefined;
  /** Attempts to resume that have not been answered, until the time for all of them is over. */
  #attempts = 0;
  #attempt: NodeJS.Timeout | undefined;
  /** Rooms are left to their logs until the session is resumed. */
  #isLagging = false;

  constructor(sleeper: Sleeper) {
    this.#sleeper = sleeper;
  }

  /** The version of stream management in use; undefined: none is. */
  get version(): string | undefined {
    return this.#sleeper.legs.managementVersion;
  }

  /** Somebody tries to resume the session: what ends its connection now may be its successor. */
  get isBeingResumed(): boolean {
    return this.#attempts > 0;
  }

  /** The client's connection has dropped: a session that can be resumed waits for its client, as long as the server does. */
  clientDropped(reason: string, isDeaf = false): void {
    const { legs, account, log, id } = this.#sleeper;
    const { resumableMs } = legs;
    if (resumableMs === undefined || this.#sleeper.isOver()) {
      this.#sleeper.gone(reason);
      return;
    }
    if (legs.isHibernating) {
      // Its stream was going on, and the connection to the server has broken now.
      if (isDeaf) account.input({ kind: 'session-hibernates', session: id, isDeaf });
      return;
    }
    const mayPark = !isDeaf && !legs.isOwn && this.#sleeper.mayPark();
    const unheard = legs.managed?.unheard();
    legs.isHibernating = true;
    this.#sleeper.asleep();
    log.info({ reason }, 'session hibernates');
    this.#expiry = setTimeout(() => this.expire(), resumableMs + (legs.isOwn ? 0 : EXPIRY_MARGIN_MS));
    this.#expiry.unref();
    account.input({ kind: 'session-hibernates', session: id, isDeaf, isStreamKept: legs.isOwn, mayPark, unheard });
  }

  /** The connection to the server broke. One that can be resumed is: the client is cut off, and comes back at once. */
  serverDropped(): void {
    const { legs } = this.#sleeper;
    if (legs.resumableMs === undefined || legs.isOwn || this.#sleeper.isOver()) {
      this.#sleeper.lost();
      return;
    }
    legs.client.handler = SILENT;
    legs.client.destroy();
    legs.suspend();
    this.clientDropped('server dropped', true);
  }

  /** The server's time is over, too much waits, or the logs have lost some of it: the client must begin anew. */
  expire(): void {
    // Not in the midst of the account's turn. A stream that still has its connection is given back as that of any client that has gone.
    queueMicrotask(() => {
      if (this.#sleeper.legs.isHibernating) this.#sleeper.gone('not resumed');
    });
  }

  /** To be called when something was put into the session's queues: a client that acknowledges nothing must not cost memory without end (X3). */
  mindQueue(): void {
    const { legs, metrics, account, id } = this.#sleeper;
    if (this.#sleeper.isOver()) return;
    if (legs.isLong && !this.#isLagging) {
      this.#isLagging = true;
      account.input({ kind: 'session-lags', session: id });
    }
    if (!legs.isOverfull) return;
    metrics.drops.inc({ reason: 'unacknowledged' });
    if (legs.isHibernating) {
      this.expire();
      return;
    }
    legs.client.error({ condition: 'policy-violation', text: 'Too many stanzas are not acknowledged' });
    this.#sleeper.gone('unacknowledged');
  }

  /** `<resume/>` for the server on a new connection of a client that has handled `h`; undefined: it cannot be resumed. */
  prepare(h: number): string | undefined {
    if (this.#sleeper.isOver() || this.#sleeper.legs.isOwn) return undefined;
    const xml = this.#sleeper.legs.prepareResume(h);
    if (xml === undefined) return undefined;
    this.#attempts += 1;
    clearTimeout(this.#attempt);
    this.#attempt = setTimeout(() => this.#abandon(), RESUME_MS);
    this.#attempt.unref();
    return xml;
  }

  /** The server has refused an attempt: everything is as it was. */
  refused(): void {
    if (this.#attempts > 0) this.#attempts -= 1;
    if (this.#attempts === 0) this.#abandon();
  }

  #abandon(): void {
    this.#attempts = 0;
    clearTimeout(this.#attempt);
    this.#sleeper.legs.abandonResume();
  }

  /** The server has granted the resumption: the session goes on over these connections, with `then` before anything comes on them. */
  resumed(resumed: ResumedSession, then: () => void = () => {}): void {
    const { legs, account, log, id } = this.#sleeper;
    this.end();
    const isOver = this.#sleeper.isOver();
    if (isOver || !legs.resume(resumed)) {
      resumed.server.destroy();
      resumed.client.error({ condition: 'internal-server-error', text: 'The session cannot be resumed' });
      if (!isOver) this.#sleeper.broken();
      return;
    }
    this.#isLagging = false;
    this.#sleeper.awake();
    log.info({ client: legs.client.id, server: legs.server.id }, 'session resumed');
    account.input({ kind: 'session-awakes', session: id });
    then();
    legs.release();
  }

  /**
   * The session is to go on elsewhere: it lets go of its connection to the server, and hears its client no more. Undefined: nobody
   * could resume it, and nothing has changed.
   */
  transfer(): { readonly legs: LegsSnapshot; readonly passage: Passage } | undefined {
    const { legs, account, id } = this.#sleeper;
    if (this.#sleeper.isOver() || legs.isOwn || legs.resumableMs === undefined) return undefined;
    const passage = account.passage(id);
    if (!passage) return undefined;
    this.end();
    this.#sleeper.asleep();
    legs.client.handler = SILENT;
    legs.isHibernating = true;
    if (!legs.isSuspended) legs.suspend();
    this.#sleeper.leaves();
    return { legs: legs.snapshot(), passage };
  }

  /** The session, which another node has had, is resumed: in place of `resumed`. */
  carryOn(resumed: ResumedSession, { legs: { managed }, passage }: SessionRecord): void {
    const { legs, account, id } = this.#sleeper;
    const { h } = resumed.request;
    // What the server was told for this the node knows that was asked for it, if one was.
    if (!managed.counters.told?.some(([claimed]) => claimed === h)) legs.prepareResume(h);
    this.resumed(resumed, () => {
      for (const stanza of passage.unanswered) {
        const answer = refusal(stanza, false);
        if (answer !== undefined) legs.send(answer, stanza);
      }
      const circumstances = { isAskedAgain: true, ...(passage.isUnsure && { isUnsure: true }) };
      for (const stanza of passage.asked)
        account.input({ kind: 'session-stanza', session: id, stanza, ...circumstances });
    });
    if (this.#sleeper.isOver()) return;
    // What its connections had to say meanwhile nobody has heard.
    if (resumed.server.isClosed) this.serverDropped();
    else if (resumed.client.isClosed) this.clientDropped('dropped');
  }

  /** Whether it could be resumed here by a client that has handled `h` and proves to be of the account. */
  canResumeHere(h: number): boolean {
    return !this.#sleeper.isOver() && this.#sleeper.legs.canResumeOwn(h);
  }

  /** It has proved to be: the session goes on over this connection. To be called when `canResumeHere` has just been asked. */
  resumedHere(h: number, client: Leg): void {
    const { legs, account, log, id } = this.#sleeper;
    this.end();
    if (!legs.resumeOwn(h, client)) throw new Error('a session was resumed that cannot be');
    this.#isLagging = false;
    this.#sleeper.awake();
    log.info({ client: client.id, server: legs.server.id }, 'session resumed');
    account.input({ kind: 'session-awakes', session: id });
    client.release();
  }

  /** A stream error that only says that another connection takes the session over (ejabberd) is not the client's. */
  isLastWord(stanza: Stanza): boolean {
    const condition = stanza.root.children[0]?.name ?? 'undefined-condition';
    this.#sleeper.metrics.streamErrors.inc({ condition, leg: 'upstream' });
    return this.isBeingResumed && condition === 'conflict';
  }

  /**
   * The client has gone for good. Returns what it was given and has not acknowledged; undefined where it acknowledges nothing.
   * With a session that was kept here nothing of it is lost; else the server has it, unless the stream is parked.
   */
  leaveBehind(isFinal: boolean, mayPark: boolean): readonly Stanza[] | undefined {
    const { legs, account, id } = this.#sleeper;
    const stanzas = legs.unacknowledged;
    if (legs.isOwn && stanzas && stanzas.length > 0) {
      account.input({ kind: 'session-undelivered', session: id, stanzas, isFinal, ...(mayPark && { mayPark }) });
    }
    return stanzas;
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#attempts = 0;
    clearTimeout(this.#expiry);
    clearTimeout(this.#attempt);
  }
}
