/**
 * What waits to be handed to a TCP socket, in order. Slices that lie side by side in one buffer, as the stanzas of a relayed
 * chunk do, become one piece without being copied. It knows its size; who bounds it is the leg.
 */

/** Small pieces are joined up to this size: one system call, and no longer a copy than the kernel makes anyway. */
const JOIN_BYTES = 64 * 1024;
/** Size of the blocks that hold copies. */
const BLOCK_BYTES = 16 * 1024;

export class Outbox {
  #bytes = 0;
  #pieces: Buffer[] = [];
  /** Index of the first piece not taken yet. */
  #head = 0;
  /** The last piece, which may still grow. */
  #source: Buffer | undefined;
  #start = 0;
  #end = 0;
  #block: Buffer | undefined;
  #used = 0;

  /** Bytes not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues `source[start, end)` by reference: for what will be taken in this turn of the event loop. */
  append(source: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    if (source === this.#source && start === this.#end) {
      this.#end = end;
      return;
    }
    if (this.#source !== undefined) this.#pieces.push(this.#source.subarray(this.#start, this.#end));
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  /** Queues a copy: for what may have to wait. A reference to a small stanza would keep the whole chunk around it alive. */
  appendCopy(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > BLOCK_BYTES) {
      const copy = Buffer.allocUnsafeSlow(length);
      source.copy(copy, 0, start, end);
      this.append(copy, 0, length);
      return;
    }
    if (this.#block === undefined || this.#used + length > BLOCK_BYTES) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
    }
    source.copy(this.#block, this.#used, start, end);
    this.append(this.#block, this.#used, this.#used + length);
    this.#used += length;
  }

  /** Turns all references into copies, when what was to go at once has to wait. */
  settle(): void {
    const pieces = this.#takeAll();
    for (const piece of pieces) this.appendCopy(piece, 0, piece.length);
  }

  /** Takes the next piece: at most 64 KiB, unless a single one is larger. Undefined when there is none. */
  next(): Buffer | undefined {
    if (this.#pieces.length === 0) return this.#takeLast();
    if (this.#source !== undefined) {
      this.#pieces.push(this.#source.subarray(this.#start, this.#end));
      this.#source = undefined;
    }
    const piece = this.#join();
    this.#bytes -= piece.length;
    if (this.#head === this.#pieces.length) {
      this.#pieces = [];
      this.#head = 0;
      this.#block = undefined;
    } else if (this.#head >= 64 && this.#head * 2 > this.#pieces.length) {
      this.#pieces.splice(0, this.#head);
      this.#head = 0;
    }
    return piece;
  }

  /** Forgets everything. */
  clear(): void {
    this.#takeAll();
  }

  #takeLast(): Buffer | undefined {
    const source = this.#source;
    if (source === undefined) return undefined;
    this.#source = undefined;
    this.#block = undefined;
    this.#bytes = 0;
    // Most chunks are passed on whole.
    return this.#start === 0 && this.#end === source.length ? source : source.subarray(this.#start, this.#end);
  }

  #join(): Buffer {
    const pieces = this.#pieces;
    const first = pieces[this.#head] as Buffer;
    let length = first.length;
    let next = this.#head + 1;
    for (let piece = pieces[next]; piece !== undefined && length + piece.length <= JOIN_BYTES; piece = pieces[next]) {
      length += piece.length;
      next++;
    }
    const joined = next === this.#head + 1 ? first : Buffer.allocUnsafe(length);
    let at = 0;
    for (; this.#head < next; this.#head++) {
      const piece = pieces[this.#head] as Buffer;
      if (piece !== joined) at += piece.copy(joined, at);
      pieces[this.#head] = EMPTY;
    }
    return joined;
  }

  #takeAll(): Buffer[] {
    const pieces = this.#pieces.slice(this.#head);
    if (this.#source !== undefined) pieces.push(this.#source.subarray(this.#start, this.#end));
    this.#pieces = [];
    this.#head = 0;
    this.#source = undefined;
    this.#block = undefined;
    this.#bytes = 0;
    return pieces;
  }
}

const EMPTY = Buffer.alloc(0);
