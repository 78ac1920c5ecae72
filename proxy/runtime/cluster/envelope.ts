/**
 * What nodes write to each other: a line of JSON that says what it is about, a line with the items, and behind it the texts of
 * stanzas as they are. A stanza travels in a form that needs no declarations of the stream that it came on.
 */
import { USUAL_DECLARATIONS } from '../../xml/declarations.ts';
import { bridge } from '../../xml/edit.ts';
import { parseStanza, type Stanza } from '../../xml/stanza.ts';

/** Position of a text in its payload. */
export type TextRef = number;

/** Items and texts that are being written. */
export class Payload<Item extends object> {
  readonly #items: Item[] = [];
  readonly #texts: Buffer[] = [];

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  add(item: Item): void {
    this.#items.push(item);
  }

  text(text: string | Buffer): TextRef {
    this.#texts.push(typeof text === 'string' ? Buffer.from(text) : text);
    return this.#texts.length - 1;
  }

  stanza(stanza: Stanza): TextRef {
    return this.text(bridge(stanza, USUAL_DECLARATIONS) ?? stanza.bytes);
  }

  /** A text made from `origin`, whose declarations it may need. */
  made(text: string | Buffer, origin: Stanza | undefined): TextRef {
    if (!origin || origin.outerPrefixes.length === 0) return this.text(text);
    return this.stanza(parseStanza(text, origin.declarations));
  }

  /** In bytes of its own. */
  seal(): Buffer {
    const lengths = this.#texts.map((text) => text.length);
    const line = `${JSON.stringify({ items: this.#items, lengths })}\n`;
    return Buffer.concat([Buffer.from(line), ...this.#texts]);
  }
}

/** A payload that was read. Items are as the other node wrote them: nodes trust each other. */
export class Reading<Item extends object> {
  readonly items: readonly Item[];
  readonly #bytes: Buffer;
  readonly #starts: number[] = [];

  /** @throws SyntaxError on what no node has written */
  constructor(payload: Buffer) {
    const end = payload.indexOf(LINE_END);
    const { items, lengths } = JSON.parse(payload.toString('utf8', 0, end)) as { items: Item[]; lengths: number[] };
    this.items = items;
    this.#bytes = payload;
    let at = end + 1;
    for (const length of lengths) {
      this.#starts.push(at);
      at += length;
    }
    this.#starts.push(at);
    if (at !== payload.length) throw new SyntaxError('the lengths do not fit');
  }

  text(ref: TextRef): Buffer {
    return this.#bytes.subarray(this.#starts[ref], this.#starts[ref + 1]);
  }

  /** @throws ViolationError */
  stanza(ref: TextRef): Stanza {
    return parseStanza(this.text(ref));
  }
}

const LINE_END = 0x0a;
const NO_PAYLOAD = Buffer.alloc(0);

/** An envelope's body. */
export function writeBody(head: object, payload: Buffer = NO_PAYLOAD): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), payload]);
}

/** @throws SyntaxError on what no node has written */
export function readBody<Head>(body: Buffer): { readonly head: Head; readonly payload: Buffer } {
  const end = body.indexOf(LINE_END);
  return { head: JSON.parse(body.toString('utf8', 0, end)) as Head, payload: body.subarray(end + 1) };
}
