/**
 * Writes an account's stanza logs to the store, for the home that comes after this one. What happens within a moment goes in one step for each
 * room; a step that may have failed is made up for by writing the whole log, again and again until the store takes it. What could not be read is
 * read when the store is back, and nothing is written in its place before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Input } from '../core/inputs.ts';
import { keptLanguage } from '../core/language.ts';
import type { LogEntry } from '../core/log-entry.ts';
import type { StanzaLog } from '../core/stanza-log.ts';
import type { AccountState } from '../core/state.ts';
import { readEntry, writeEntry } from '../core/stored-log.ts';
import { isOfAnotherHome, logFault } from '../store/faults.ts';
import type { LogStep } from '../store/logs.ts';
import { FIRST_PAUSE_MS, longer } from '../store/pauses.ts';
import { type Fence, StoreError } from '../store/store.ts';
import type { BareKey } from '../xml/address.ts';
import type { AccountDeps } from './deps.ts';
import { ListKeeper } from './list-keeper.ts';

/** How long what was heard may wait to be written (ms): so much is lost with a process that is killed, where the room does not tell it again. */
const DELAY_MS = 250;
/** A join does not wait longer for what the store has (ms). */
const PATIENCE_MS = 2000;

interface Written {
  /** Undefined: what is there is not known. */
  readonly log: StanzaLog | undefined;
  /** The place behind the last entry that was written, and how many there were. */
  readonly end: number;
  readonly size: number;
}

const FAILED = 'a stanza log was not kept';

const LOST: Written = { log: undefined, end: 0, size: 0 };

/** What the store has of a room. */
interface Past {
  readonly entries: readonly LogEntry[];
  readonly kept: readonly LogEntry[];
}

const NOTHING: Past = { entries: [], kept: [] };

export class LogKeeper {
  readonly #state: AccountState;
  readonly #deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics' | 'now'>;
  readonly #fence: (() => Fence) | undefined;
  readonly #input: (input: Input) => void;
  readonly #written = new Map<BareKey, Written>();
  readonly #due = new Set<BareKey>();
  /** Private messages that are kept, a list for each room. */
  readonly #kept: ListKeeper;
  /** Rooms of which the store is being asked, and the number of the question: nothing is written over what it has. */
  readonly #unread = new Map<BareKey, number>();
  #questions = 0;
  /** How long the next try waits; 0: the last step was done. */
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #isOver = false;

  constructor(
    state: AccountState,
    deps: Pick<AccountDeps, 'logs' | 'log' | 'metrics' | 'now'>,
    fence: (() => Fence) | undefined,
    input: (input: Input) => void,
  ) {
    this.#state = state;
    this.#deps = deps;
    this.#fence = fence;
    this.#input = input;
    const contents = (name: string) => state.rooms.get(roomOf(name))?.kept;
    const language = (name: string) => {
      const room = state.rooms.get(roomOf(name));
      return room && keptLanguage(state, room);
    };
    this.#kept = new ListKeeper({ state, deps, fence, contents, language, failed: FAILED });
  }

  /** The room's log is another than before. `isAnew`: what this home has written may be lost. */
  note(room: BareKey, isAnew = false): void {
    // What it has not written, such as the log that came with the account, an earlier home has.
    if (isAnew && !this.#written.has(room)) return;
    if (isAnew) this.#written.set(room, LOST);
    this.#due.add(room);
    this.#flushSoon();
  }

  /** Other private messages of the room are kept than before. */
  noteKept(room: BareKey): void {
    this.#kept.note(keptName(room));
  }

  #flushSoon(): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => this.flush(), this.#pauseMs || DELAY_MS).unref();
  }

  /** All that is due is written now, but for rooms of which it is not known what the store has. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#kept.flush();
    for (const room of [...this.#due].filter((one) => !this.#unread.has(one))) {
      this.#due.delete(room);
      this.#write(room);
    }
  }

  /** The node is about to stop: rooms that are left from now on are left for want of streams, and a home to come goes on from their logs. */
  drain(): void {
    this.flush();
    this.#isDraining = true;
  }

  /** The last step: what it does not achieve is not tried again. */
  stop(): void {
    this.#isOver = true;
    this.flush();
    this.#kept.stop();
    this.#unread.clear();
  }

  /** Nothing of the room is kept any more. The store sees to it that this is done (sure-logs.ts). */
  forget(room: BareKey): void {
    this.#due.delete(room);
    this.#written.delete(room);
    this.#unread.delete(room);
    this.#kept.drop(keptName(room));
    if (this.#isDraining) return;
    for (const name of [room, keptName(room)]) {
      const done = this.#deps.logs?.forget(this.#state.bare, name, this.#fence?.());
      done?.catch((error: unknown) => this.#failed(error));
    }
  }

  /** Whatever becomes of it, `log-read` follows soon; and once more when a store that was away has answered. */
  async read(room: BareKey): Promise<void> {
    this.#questions += 1;
    const question = this.#questions;
    this.#unread.set(room, question);
    this.#kept.hold(keptName(room));
    const asked = this.#ask(room);
    const isWaiting = new AbortController();
    const late = delay(PATIENCE_MS, undefined, { ref: false, signal: isWaiting.signal }).catch(() => undefined);
    const past = await Promise.race([asked, late]);
    isWaiting.abort();
    if (!past) {
      this.#input({ kind: 'log-read', room, ...NOTHING });
      await this.#readLate(room, question, asked);
    } else if (this.#isAnswered(room, question)) this.#input({ kind: 'log-read', room, ...past });
  }

  async #readLate(room: BareKey, question: number, asked: Promise<Past | undefined>): Promise<void> {
    const isWanted = (): boolean => this.#unread.get(room) === question && this.#state.rooms.has(room);
    let past = await asked;
    for (let pause = FIRST_PAUSE_MS; !past && isWanted(); pause = longer(pause)) {
      await delay(pause, undefined, { ref: false });
      if (isWanted()) past = await this.#ask(room);
    }
    if (this.#isAnswered(room, question) && past) this.#input({ kind: 'log-read', room, ...past, isLate: true });
  }

  /** False: that was not the last question. */
  #isAnswered(room: BareKey, question: number): boolean {
    if (this.#unread.get(room) !== question) return false;
    this.#unread.delete(room);
    if (this.#due.has(room)) this.#flushSoon();
    this.#kept.release(keptName(room));
    return true;
  }

  /** Undefined: the store does not say. */
  async #ask(room: BareKey): Promise<Past | undefined> {
    const { logs } = this.#deps;
    if (!logs) return NOTHING;
    try {
      const [stored, kept] = await Promise.all([logs.read(this.#state.bare, room), this.#kept.read(keptName(room))]);
      return kept && { entries: stored.map(readEntry), kept };
    } catch (error) {
      this.#failed(error);
      // What cannot be understood will not be understood later.
      return error instanceof StoreError ? undefined : NOTHING;
    }
  }

  #write(key: BareKey): void {
    const room = this.#state.rooms.get(key);
    const { logs } = this.#deps;
    if (!logs || room?.phase !== 'joined') return;
    const { log } = room;
    const step = stepOf(log, this.#written.get(key), this.#deps.now(), keptLanguage(this.#state, room));
    const written: Written = { log, end: log.end, size: log.size };
    this.#written.set(key, written);
    if (!step) return;
    const fail = (): void => {
      // What was written since is no better.
      if (this.#written.get(key)?.log === log) this.#written.set(key, LOST);
    };
    logs.write(this.#state.bare, key, step, this.#state.settings.historyAgeMs, this.#fence?.()).then(
      (isTaken) => {
        this.#pauseMs = 0;
        if (isTaken) return;
        fail();
        this.note(key);
      },
      (error: unknown) => {
        fail();
        this.#again(key, error);
      },
    );
  }

  /** A step was not done, or may not have been: it is due once more, unless another home does it. */
  #again(room: BareKey, error: unknown): void {
    this.#failed(error);
    if (isOfAnotherHome(error) || this.#isOver || !this.#state.rooms.has(room)) return;
    this.#due.add(room);
    // Several that fail together wait together.
    if (this.#timer) return;
    this.#pauseMs = longer(this.#pauseMs);
    this.#flushSoon();
  }

  #failed(error: unknown): void {
    this.#deps.metrics.drops.inc({ reason: 'no-store' });
    logFault(this.#deps.log, error, FAILED);
  }
}

const KEPT = ' kept';

/** Beside the room's log; no room has a space in its name. */
function keptName(room: BareKey): string {
  return `${room}${KEPT}`;
}

function roomOf(name: string): BareKey {
  return name.slice(0, -KEPT.length) as BareKey;
}

/** Undefined: nothing has changed. `language`: as of `writeEntry`. */
function stepOf(
  log: StanzaLog,
  written: Written | undefined,
  now: number,
  language: string | undefined,
): LogStep | undefined {
  const write = (entry: LogEntry): Buffer => writeEntry(entry, language);
  const rewritten = log.takeRewritten();
  const added = written?.log === log ? log.since(written.end, now) : undefined;
  const keep = log.size;
  if (!written || !added) return { had: undefined, added: log.entries(now).map(write), changed: [], keep };
  const changed = rewritten
    .filter(({ place }) => place < written.end)
    .map(({ place, entry }) => ({ fromEnd: log.end - 1 - place, entry: write(entry) }));
  if (added.length + changed.length === 0 && keep === written.size) return undefined;
  return { had: written.size, added: added.map(write), changed, keep };
}
