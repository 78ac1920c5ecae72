/**
 * Bytes of one connection in; stream header, stanzas and end of the stream out. It is also the guard: what it emits is
 * well-formed, within its limits, and free of what RFC 6120 section 11 forbids; anything else ends the stream before
 * somebody else sees it.
 */
import { CLASS, SPACE } from './chars.ts';
import { COMPLETE, closingTag } from './closing-tag.ts';
import { asTheyAre, type Declarations, NO_DECLARATIONS } from './declarations.ts';
import { headerFault, openFault, openHeader, strayTextFault, streamHeader } from './header.ts';
import type { KnownTags } from './known-tags.ts';
import { NS } from './names.ts';
import { xmlDeclaration } from './prolog.ts';
import type { ScanLimits } from './root-tag.ts';
import { Scanner } from './scanner.ts';
import { Stanza, type StreamHeader } from './stanza.ts';
import { LT, QUESTION, SLASH } from './tokens.ts';
import { malformed, stanzaTooBig, type Violation, ViolationError } from './violation.ts';

export type { Violation } from './violation.ts';

export interface FramerLimits extends ScanLimits {
  /** Bytes of one stanza, and of a stream header, from its `<` to its `>`. */
  readonly stanzaBytes: number;
}

/** All are called from within `push` or `release`, and may call every method of the framer. */
export interface FramerHandler {
  /** TCP: a stream header. WebSocket: `<open/>`. */
  header(header: StreamHeader): void;
  /** Any first-level element, whatever its name and namespace. */
  stanza(stanza: Stanza): void;
  /** The peer has closed its stream: `</stream:stream>`, or `<close/>`. Nothing follows. */
  end(): void;
  /** The stream has to be ended with this error. Nothing follows. */
  violation(violation: Violation): void;
  /** White space between stanzas: a keep-alive. */
  whitespace?(): void;
}

const EMPTY: Buffer = Buffer.alloc(0);
/** An unfinished stanza is continued with at least so much of a new chunk, so that small ones cost one copy. */
const PIECE = 512;

type State = 'header' | 'stream' | 'stopped';

export class Framer {
  /** May be replaced at any time; holds from the next byte on. */
  limits: FramerLimits;

  readonly #handler: FramerHandler;
  readonly #websocket: boolean;
  readonly #scanner: Scanner;
  #state: State = 'header';
  /** The scanner is inside the element that starts at `#pos`. */
  #scanning = false;
  /** Nothing but white space has come since the connection, the stream or the message began. */
  #fresh = true;
  #declarations: Declarations;
  readonly #read: (declarations: Declarations) => Declarations;
  /** As written in the stream header, so that the closing tag can be compared. */
  #rootName = '';
  /** How much of an unfinished `</stream:stream   >` at `#pos` need not be read again. */
  #closingRead = 0;
  #held = false;
  #busy = false;

  /** Not yet emitted: `#data[#pos, #end)`. A chunk of the caller's, or, if `#own`, a buffer that may be appended to. */
  #data = EMPTY;
  #pos = 0;
  #end = 0;
  #own = false;
  /** Chunks pushed by the handler; WebSocket messages that came while held. */
  #waiting: Buffer[] = [];
  #discarded = false;

  /**
   * `read` tells how declarations are to be taken: as they are, unless given. `known`: what other framers have read and
   * this one will have, which makes them faster.
   */
  constructor(
    kind: 'tcp' | 'websocket',
    limits: FramerLimits,
    handler: FramerHandler,
    read = asTheyAre,
    known?: KnownTags,
  ) {
    this.limits = limits;
    this.#read = read;
    this.#declarations = read(NO_DECLARATIONS);
    this.#websocket = kind === 'websocket';
    this.#handler = handler;
    this.#scanner = new Scanner(known);
  }

  /** Whether emission is suspended by `hold`. */
  get held(): boolean {
    return this.#held;
  }

  /** Bytes kept: an unfinished stanza, or what waits for `release`. Called by the handler: what follows in the chunk. */
  get buffered(): number {
    let bytes = this.#end - this.#pos;
    for (const chunk of this.#waiting) bytes += chunk.length;
    return bytes;
  }

  /**
   * Bytes as they come. TCP: cut anywhere. WebSocket: one whole message. The chunk must not be changed afterwards: the
   * stanzas emitted are views of it.
   */
  push(chunk: Buffer): void {
    if (this.#isStopped() || chunk.length === 0) return;
    if (this.#busy || this.#websocket || this.#waiting.length > 0) this.#waiting.push(chunk);
    else this.#take(chunk);
    this.#catchUp();
  }

  /** Emits nothing more until `release`; what is pushed meanwhile is kept. The caller stops reading the socket. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on; emits what was kept at once, unless called by the handler. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#busy || this.#isStopped()) return;
    this.#run(false);
    this.#settle();
    this.#catchUp();
  }

  /** What follows is a new stream, with its own header and declarations; also what is buffered already. */
  restart(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'header';
    this.#scanning = false;
    this.#fresh = true;
    this.#declarations = this.#read(NO_DECLARATIONS);
    this.#closingRead = 0;
  }

  /** Forgets what is buffered, the rest of the current chunk included: what came before TLS may not count behind it. */
  discard(): void {
    this.#drop();
    this.#waiting = [];
    this.#discarded = true;
  }

  /** Emits nothing any more, and keeps nothing. */
  stop(): void {
    this.#state = 'stopped';
    this.discard();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #isSuspended(): boolean {
    return this.#held || this.#state === 'stopped';
  }

  /** A chunk of a TCP stream. */
  #take(chunk: Buffer): void {
    if (this.#held) {
      this.#append(chunk, 0, chunk.length);
      return;
    }
    this.#discarded = false;
    let used = 0;
    // An unfinished stanza gets as much of the chunk as it needs, in growing pieces; the rest is framed where it lies.
    while (this.#pos < this.#end && used < chunk.length) {
      const size = Math.min(chunk.length - used, Math.max(PIECE, this.#end - this.#pos));
      this.#append(chunk, used, size);
      used += size;
      this.#run(true);
      if (this.#discarded) return;
      const left = this.#end - this.#pos;
      if (left > used) {
        if (this.#held) break;
      } else {
        used -= left;
        this.#drop();
        break;
      }
    }
    if (used < chunk.length) {
      if (this.#pos < this.#end) {
        this.#append(chunk, used, chunk.length - used);
      } else {
        this.#data = chunk;
        this.#pos = used;
        this.#end = chunk.length;
        this.#own = false;
        this.#run(false);
      }
    }
    this.#settle();
  }

  /** What has been pushed while something else went on. */
  #catchUp(): void {
    if (this.#busy) return;
    while (this.#waiting.length > 0 && !(this.#websocket ? this.#isSuspended() : this.#isStopped())) {
      const next = this.#waiting.shift() as Buffer;
      if (this.#websocket) this.#message(next);
      else this.#take(next);
    }
  }

  /** A WebSocket message, when all of the one before has been emitted. */
  #message(message: Buffer): void {
    this.#data = message;
    this.#pos = 0;
    this.#end = message.length;
    this.#fresh = true;
    this.#run(false);
    this.#settle();
  }

  #drop(): void {
    this.#data = EMPTY;
    this.#pos = 0;
    this.#end = 0;
    this.#own = false;
    this.#scanning = false;
  }

  #append(chunk: Buffer, from: number, size: number): void {
    const kept = this.#end - this.#pos;
    if (!this.#own || this.#end + size > this.#data.length) {
      const larger = Buffer.allocUnsafe(Math.max(kept + size, 2 * kept));
      this.#data.copy(larger, 0, this.#pos, this.#end);
      this.#data = larger;
      this.#pos = 0;
      this.#end = kept;
      this.#own = true;
    }
    chunk.copy(this.#data, this.#end, from, from + size);
    this.#end += size;
  }

  /** Lets go of the caller's chunk, and of a buffer that has become much too large. */
  #settle(): void {
    const kept = this.#end - this.#pos;
    if (kept === 0) {
      if (this.#data !== EMPTY) this.#drop();
      return;
    }
    if (this.#held || (this.#own && (this.#pos === 0 || kept * 2 >= this.#data.length))) return;
    const copy = Buffer.allocUnsafe(kept);
    this.#data.copy(copy, 0, this.#pos, this.#end);
    this.#data = copy;
    this.#pos = 0;
    this.#end = kept;
    this.#own = true;
  }

  /** Emits what is complete; with `once`, at most one thing. */
  #run(once: boolean): void {
    this.#busy = true;
    try {
      while (!this.#isSuspended() && this.#pos < this.#end && this.#step() && !once);
    } finally {
      this.#busy = false;
    }
    if (this.#websocket && this.#pos < this.#end && !this.#isSuspended()) {
      this.#refuse(malformed('a message ends inside an element'));
    }
  }

  /** Reads the next thing. False: there must come more first, or the stream is over. */
  #step(): boolean {
    if (this.#scanning) return this.#element();
    const b = this.#data;
    let p = this.#pos;
    while (p < this.#end && ((CLASS[b[p] as number] as number) & SPACE) !== 0) p++;
    if (p > this.#pos) {
      this.#pos = p;
      if (this.#state === 'stream') this.#handler.whitespace?.();
      return true;
    }
    if (b[p] !== LT) return this.#refuse(strayTextFault(b[p] as number, this.#state === 'header'));
    if (p + 1 >= this.#end) return false;
    const c = b[p + 1];
    if (c === QUESTION && this.#fresh && (this.#websocket || this.#state === 'header')) return this.#prolog();
    if (c === SLASH && this.#state === 'stream' && !this.#websocket) return this.#closing();
    this.#scanning = true;
    this.#fresh = false;
    this.#scanner.begin(this.#declarations, this.limits);
    return this.#element();
  }

  /** Goes on with the element or header at `#pos`. */
  #element(): boolean {
    const max = this.limits.stanzaBytes;
    const isLong = this.#end - this.#pos > max;
    const end = isLong ? this.#pos + max : this.#end;
    if (!this.#scan(end)) {
      if (!isLong || this.#isStopped()) return false;
      // Where the limit cuts a tag, what is wrong with its beginning comes first, however the bytes were split.
      this.#scanner.recheck();
      this.#scan(end);
      return this.#refuse(stanzaTooBig());
    }
    const start = this.#pos;
    this.#pos += this.#scanner.at;
    this.#scanning = false;
    if (this.#state === 'header' && !this.#websocket) return this.#header(start);
    const stanza = new Stanza(this.#data, start, this.#pos, this.#scanner);
    if (this.#websocket && (stanza.ns === NS.framing || this.#state === 'header')) return this.#frame(stanza);
    this.#handler.stanza(stanza);
    return true;
  }

  #scan(end: number): boolean {
    try {
      return this.#state === 'header' && !this.#websocket
        ? this.#scanner.openingTag(this.#data, this.#pos, end)
        : this.#scanner.element(this.#data, this.#pos, end);
    } catch (error) {
      if (!(error instanceof ViolationError)) throw error;
      return this.#refuse(error);
    }
  }

  #prolog(): boolean {
    const next = this.#attempt(() => xmlDeclaration(this.#data, this.#pos, this.#end));
    if (next === undefined || next < 0) return false;
    this.#pos = next;
    this.#fresh = false;
    return true;
  }

  /** The stream header has been read. */
  #header(start: number): boolean {
    const scanner = this.#scanner;
    const fault = headerFault(scanner);
    if (fault !== undefined) return this.#refuse(fault);
    const header = streamHeader(this.#data.subarray(start, this.#pos), scanner);
    this.#rootName = scanner.prefix === '' ? scanner.name : `${scanner.prefix}:${scanner.name}`;
    this.#declarations = this.#read(header.declarations);
    this.#state = 'stream';
    this.#closingRead = 0;
    this.#handler.header(header);
    return true;
  }

  /** An element that RFC 7395 uses in place of a stream's tags, or that comes before any of them. */
  #frame(stanza: Stanza): boolean {
    if (stanza.ns === NS.framing && stanza.name === 'close') {
      this.stop();
      this.#handler.end();
      return false;
    }
    if (stanza.ns === NS.framing && stanza.name === 'open') {
      this.#state = 'stream';
      this.#handler.header(openHeader(stanza));
      return true;
    }
    if (this.#state === 'header') return this.#refuse(openFault(stanza));
    this.#handler.stanza(stanza);
    return true;
  }

  /** `</stream:stream>`, from its `</`. */
  #closing(): boolean {
    const isLong = this.#end - this.#pos > this.limits.stanzaBytes;
    const end = isLong ? this.#pos + this.limits.stanzaBytes : this.#end;
    const read = this.#attempt(() => closingTag(this.#data, this.#pos, end, this.#rootName, this.#closingRead));
    if (read === undefined) return false;
    if (read !== COMPLETE) {
      this.#closingRead = read;
      return isLong ? this.#refuse(stanzaTooBig()) : false;
    }
    this.stop();
    this.#handler.end();
    return false;
  }

  /** What is read only once a stream; undefined: it was refused. */
  #attempt(read: () => number): number | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ViolationError)) throw error;
      this.#refuse(error);
      return undefined;
    }
  }

  /** Ends the stream with that error; the first one counts. */
  #refuse(error: ViolationError): false {
    if (this.#state === 'stopped') return false;
    this.stop();
    this.#handler.violation(error.violation);
    return false;
  }
}
