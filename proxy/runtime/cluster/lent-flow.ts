/**
 * One direction and back between the two nodes of a lent leg (lending.ts): what is put in comes out in order, in few envelopes, and no
 * faster than the other side deals with it. Nothing is sent twice: where an envelope is missing the leg is at its end, as a connection is
 * that has broken, and stream management makes up for it.
 */
import { Payload, Reading, type TextRef } from './envelope.ts';

/** What may be on its way at a time, and not be dealt with: the rest waits. */
const UNDER_WAY = { envelopes: 32, bytes: 256 * 1024 };
/** Texts of one envelope, the one that goes over it included (bytes). */
const ENVELOPE_BYTES = 64 * 1024;
/** What an item counts for without its text (bytes). */
const ITEM_BYTES = 64;
/** The other side is told what was dealt with when it is so much, and otherwise after so long (ms), or with what goes there anyway. */
const TELL_AFTER = UNDER_WAY.envelopes / 4;
const TELL_MS = 20;

export interface FlowHead {
  /** Counts from 1; 0: there is no payload. */
  readonly number: number;
  /** The last envelope of the other side that was dealt with. */
  readonly seen: number;
}

/** An item of the payload; `text`: where its text is. */
export interface FlowItem {
  readonly kind: string;
  readonly text?: TextRef;
}

export interface FlowOptions {
  send(head: FlowHead, payload?: Buffer): void;
  /** The other side has dealt with something: `backlog` is less than before. */
  eased(): void;
}

export class LentFlow<Out extends FlowItem, In extends FlowItem> {
  readonly #options: FlowOptions;
  #waiting: { readonly item: Out; readonly text: Buffer | undefined }[] = [];
  #waitingBytes = 0;
  #underWay: { readonly number: number; readonly bytes: number }[] = [];
  #underWayBytes = 0;
  #sent = 0;
  #taken = 0;
  #handled = 0;
  #told = 0;
  #isDue = false;
  #isClosed = false;
  #telling: NodeJS.Timeout | undefined;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  /** Bytes that the other side has not dealt with. */
  get backlog(): number {
    return this.#waitingBytes + this.#underWayBytes;
  }

  /** Goes with all else of this turn of the event loop. The text must not be changed later. */
  put(item: Out, text?: Buffer): void {
    if (this.#isClosed) return;
    this.#waiting.push({ item, text });
    this.#waitingBytes += sizeOf(text);
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.flush();
    });
  }

  /** Sends what may be sent now. */
  flush(): void {
    while (this.#waiting.length > 0 && !this.#isClosed) {
      if (this.#underWay.length >= UNDER_WAY.envelopes || this.#underWayBytes >= UNDER_WAY.bytes) return;
      const payload = new Payload<Out>();
      let bytes = 0;
      let count = 0;
      for (const { item, text } of this.#waiting) {
        if (bytes >= ENVELOPE_BYTES) break;
        payload.add(text === undefined ? item : { ...item, text: payload.text(text) });
        bytes += sizeOf(text);
        count += 1;
      }
      this.#waiting.splice(0, count);
      this.#waitingBytes -= bytes;
      this.#sent += 1;
      this.#underWay.push({ number: this.#sent, bytes });
      this.#underWayBytes += bytes;
      this.#send(this.#sent, payload.seal());
    }
  }

  #send(number: number, payload?: Buffer): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#told = this.#handled;
    this.#options.send({ number, seen: this.#handled }, payload);
  }

  /**
   * An envelope has come: what it holds, to be dealt with in order; then `handled` is to be called. Undefined: one is missing before it.
   * @throws SyntaxError on what no node has written
   */
  take({ number, seen }: FlowHead, payload: Buffer): Reading<In> | undefined {
    this.#seen(seen);
    if (number === 0) return new Reading<In>(NOTHING);
    if (number !== this.#taken + 1) return undefined;
    this.#taken = number;
    return new Reading<In>(payload);
  }

  #seen(seen: number): void {
    let count = 0;
    for (const { number, bytes } of this.#underWay) {
      if (number > seen) break;
      this.#underWayBytes -= bytes;
      count += 1;
    }
    if (count === 0) return;
    this.#underWay.splice(0, count);
    this.flush();
    this.#options.eased();
  }

  /** All that was taken has been dealt with. */
  handled(): void {
    this.#handled = this.#taken;
    if (this.#isClosed || this.#handled === this.#told) return;
    if (this.#handled - this.#told >= TELL_AFTER) this.#send(0);
    else this.#telling ??= setTimeout(() => this.#send(0), TELL_MS);
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#telling);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#underWay = [];
    this.#underWayBytes = 0;
  }
}

const NOTHING = new Payload().seal();

function sizeOf(text: Buffer | undefined): number {
  return ITEM_BYTES + (text?.length ?? 0);
}
