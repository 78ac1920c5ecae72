/**
 * Finds the end of one element and proves on the way that it is well-formed. The hot path: plain bytes, no tree, no
 * strings but those of the root. It may stop at any byte and go on when more has come: character data is never read
 * twice, an unfinished tag waits for its `>` (or for a `<`, which cannot be right) and is then read once more.
 */
import {
  checkAmongFew,
  checkAmongMany,
  checkDefaultAt,
  isXmlPrefix,
  MANY,
  namesOf,
  namespaceAt,
  namespaceIn,
  resolvePrefixes,
  STRIDE,
} from './attributes.ts';
import { CLASS, SPACE } from './chars.ts';
import { type Declarations, NO_DECLARATIONS } from './declarations.ts';
import type { KnownTags } from './known-tags.ts';
import { nameHash, type PlainTag, plainTag } from './plain-tag.ts';
import { forgetRootAttributes, noteRootAttribute, type RootTag, rootName, type ScanLimits } from './root-tag.ts';
import { Scopes } from './scopes.ts';
import {
  APOSTROPHE,
  attributeValue,
  BANG,
  COLON,
  characterData,
  EQUALS,
  GT,
  LT,
  matches,
  ncName,
  QUESTION,
  QUOTE,
  RIGHT_BRACKET,
  SLASH,
  sameBytes,
  sectionContent,
} from './tokens.ts';
import { badFormat, malformed, restricted, tooMuch } from './violation.ts';

const CDATA = '<![CDATA[';
/** Scratch arrays that have grown beyond this are not kept. */
const KEEP = 256;

export class Scanner implements RootTag {
  name = '';
  ns = '';
  prefix = '';
  declarations: Declarations = NO_DECLARATIONS;
  outerDefault = '';
  inheritsDefault = false;
  nameEnd = 0;
  openEnd = 0;
  selfClosing = false;
  toAt = -1;
  toStart = -1;
  toEnd = -1;
  fromAt = -1;
  fromStart = -1;
  fromEnd = -1;
  idAt = -1;
  idStart = -1;
  idEnd = -1;
  typeAt = -1;
  typeStart = -1;
  typeEnd = -1;

  /** How far the element has been read, from its first byte. After `true` from a scan: its length. */
  at = 0;

  #maxDepth = 0;
  #maxAttributes = 0;
  #depth = 0;
  #inSection = false;
  /** How far an unfinished tag has been looked through for its end; 0: there is none. */
  #sought = 0;
  #soughtQuote = 0;
  /** Depth of the outermost open element that has an `xmlns` of its own; 0: none. */
  #coverDepth = 0;
  /** Offset and length of the name of each open element. */
  #open: number[] = [];
  #attributes: number[] = [];
  #seen: Set<string> | undefined;
  #scopes = new Scopes();
  readonly #known: KnownTags | undefined;
  /** Of the tag that has just been read in the fast way. */
  readonly #tag: PlainTag = { nameEnd: 0, selfClosing: false, attributes: 0, namespaceStart: 0, namespaceEnd: 0 };

  /** `known`: may be shared with other scanners. */
  constructor(known?: KnownTags) {
    this.#known = known;
  }

  get outerPrefixes(): readonly string[] {
    return this.#scopes.outer;
  }

  /** The next scan starts a new element, under the declarations of this stream header. */
  begin(declarations: Declarations, limits: ScanLimits): void {
    if (this.declarations !== declarations) {
      this.declarations = declarations;
      this.outerDefault = declarations.get('') ?? '';
    }
    this.#maxDepth = limits.depth;
    this.#maxAttributes = limits.attributes;
    this.#scopes.begin(declarations);
    this.at = 0;
    this.#depth = 0;
    this.#inSection = false;
    this.#sought = 0;
    this.#coverDepth = 0;
    this.inheritsDefault = false;
    this.#seen = undefined;
    if (this.#open.length > KEEP) this.#open = [];
    if (this.#attributes.length > KEEP) this.#attributes = [];
  }

  /**
   * Reads the element that starts at `start` (a `<`), as far as `end`. False: there must be more; call again with the
   * same bytes and more, anywhere in memory.
   * @throws ViolationError
   */
  element(b: Buffer, start: number, end: number): boolean {
    if (this.#sought > 0 && !this.#seek(b, start, end)) return false;
    let p = start + this.at;
    for (;;) {
      if (this.#inSection) {
        p = sectionContent(b, p, end);
        if (p + 2 >= end || b[p] !== RIGHT_BRACKET) break;
        p += 3;
        this.#inSection = false;
      }
      if (this.#depth > 0) p = characterData(b, p, end);
      if (p + 1 >= end || b[p] !== LT) break;
      const c = b[p + 1];
      let next: number;
      if (c === SLASH) next = this.#closingTag(b, start, p, end);
      else if (c === BANG || c === QUESTION) next = this.#special(b, p, end, this.#depth > 0);
      else next = this.#depth > 0 ? this.#innerTag(b, start, p, end) : this.#rootTag(b, p, end);
      if (next < 0) break;
      p = next;
      if (this.#depth === 0) {
        this.at = p - start;
        return true;
      }
    }
    this.at = p - start;
    return false;
  }

  /** As `element`, but only the opening tag: for a stream header. */
  openingTag(b: Buffer, start: number, end: number): boolean {
    if (this.#sought > 0 && !this.#seek(b, start, end)) return false;
    if (start + 1 >= end) return false;
    const c = b[start + 1];
    const markup = c === BANG || c === QUESTION;
    const next = markup ? this.#special(b, start, end, false) : this.#openingTag(b, start, start, end);
    if (next < 0) return false;
    this.at = next - start;
    return true;
  }

  /** Makes the next scan read an unfinished tag again as far as it has come, so that what is wrong with it is found. */
  recheck(): void {
    this.#sought = 0;
  }

  /** Looks for the end of the unfinished tag at `at`, from where the last look ended. */
  #seek(b: Buffer, start: number, end: number): boolean {
    const closing = b[start + this.at + 1] === SLASH;
    let quote = this.#soughtQuote;
    for (let p = start + this.#sought; p < end; p++) {
      const c = b[p];
      if (c === LT || (c === GT && quote === 0)) {
        this.#sought = 0;
        return true;
      }
      if (c !== QUOTE && c !== APOSTROPHE) continue;
      if (closing) {
        this.#sought = 0;
        return true;
      }
      if (quote === 0) quote = c;
      else if (quote === c) quote = 0;
    }
    this.#sought = end - start;
    this.#soughtQuote = quote;
    return false;
  }

  /** The tag at `p` has not come to its end. */
  #unfinished(start: number, p: number): number {
    this.#sought = p - start + 1;
    this.#soughtQuote = 0;
    return -1;
  }

  #closingTag(b: Buffer, start: number, from: number, end: number): number {
    if (this.#depth === 0) throw malformed('a closing tag without an opening one');
    const top = (this.#depth - 1) * 2;
    const name = start + (this.#open[top] as number);
    const length = this.#open[top + 1] as number;
    let p = from + 2;
    if (!sameBytes(b, p, name, Math.min(length, end - p))) throw malformed('tags do not match');
    if (p + length >= end) return this.#unfinished(start, from);
    p += length;
    while (((CLASS[b[p] as number] as number) & SPACE) !== 0) if (++p >= end) return this.#unfinished(start, from);
    if (b[p] !== GT) throw malformed('tags do not match');
    this.#leave();
    return p + 1;
  }

  #leave(): void {
    this.#scopes.leave(this.#depth);
    if (this.#coverDepth === this.#depth) this.#coverDepth = 0;
    this.#depth--;
  }

  /** `<!` or `<?`: of all that could follow only CDATA is allowed (RFC 6120 section 11.1). */
  #special(b: Buffer, from: number, end: number, inside: boolean): number {
    if (b[from + 1] === QUESTION) throw restricted('a processing instruction');
    if (from + 2 >= end) return -1;
    const c = b[from + 2];
    if (c === 0x44 /* D */) throw restricted('a document type declaration');
    if (c === 0x2d /* - */) {
      if (from + 3 >= end) return -1;
      if (b[from + 3] === 0x2d) throw restricted('a comment');
      throw malformed('bad markup');
    }
    for (let k = 2; k < CDATA.length; k++) {
      if (from + k >= end) return -1;
      if (b[from + k] !== CDATA.charCodeAt(k)) throw malformed('bad markup');
    }
    if (!inside) throw badFormat('character data outside a stanza');
    this.#inSection = true;
    return from + CDATA.length;
  }

  /** The opening tag of a stanza. */
  #rootTag(b: Buffer, start: number, end: number): number {
    const tag = this.#tag;
    forgetRootAttributes(this);
    const next = plainTag(tag, b, start, end, this.#maxAttributes, this);
    if (next < 0) return this.#openingTag(b, start, start, end);
    const { nameEnd, selfClosing, namespaceStart } = tag;
    this.#enter(1, nameEnd - start - 1, namespaceStart > 0);
    this.nameEnd = nameEnd - start;
    this.openEnd = next - start;
    this.selfClosing = selfClosing;
    this.prefix = '';
    this.name = rootName(b, start + 1, nameEnd);
    this.ns = namespaceStart > 0 ? namespaceIn(b, namespaceStart, tag.namespaceEnd) : this.outerDefault;
    if (selfClosing) this.#leave();
    return next;
  }

  /** An opening tag below the root: most of them have been read before. */
  #innerTag(b: Buffer, start: number, from: number, end: number): number {
    const known = this.#known?.find(b, from, end);
    if (known !== undefined && known.attributes <= this.#maxAttributes) {
      this.#enter(from + 1 - start, known.nameLength, known.attributes > 0);
      if (known.selfClosing) this.#leave();
      return from + known.bytes.length;
    }
    const tag = this.#tag;
    const next = plainTag(tag, b, from, end, this.#maxAttributes, undefined);
    if (next < 0) return this.#openingTag(b, start, from, end);
    const { nameEnd, selfClosing, attributes, namespaceStart } = tag;
    const hasNamespace = namespaceStart > 0;
    this.#enter(from + 1 - start, nameEnd - from - 1, hasNamespace);
    if (attributes === (hasNamespace ? 1 : 0)) this.#known?.learn(b, from, nameEnd, next, attributes, selfClosing);
    if (selfClosing) this.#leave();
    return next;
  }

  /** An element without a prefix begins, after all checks of its tag but this one. */
  #enter(name: number, length: number, hasNamespace: boolean): void {
    this.#push(name, length);
    if (this.#coverDepth > 0) return;
    if (hasNamespace) this.#coverDepth = this.#depth;
    else this.inheritsDefault = true;
  }

  #push(name: number, length: number): void {
    if (this.#depth >= this.#maxDepth) throw tooMuch('elements nested too deep');
    const top = this.#depth * 2;
    this.#depth++;
    this.#open[top] = name;
    this.#open[top + 1] = length;
  }

  #openingTag(b: Buffer, start: number, from: number, end: number): number {
    let p = ncName(b, from + 1, end);
    let colon = 0;
    if (p > 0 && b[p] === COLON) {
      colon = p;
      p = ncName(b, p + 1, end);
    }
    if (p < 0) return this.#unfinished(start, from);
    const nameEnd = p;
    const table = CLASS;
    const attributes = this.#attributes;
    const isRoot = this.#depth === 0;
    let count = 0;
    if (isRoot) forgetRootAttributes(this);
    let hashes = 0;
    let defaultAt = -1;
    let hasPrefixes = colon > 0;
    let selfClosing = false;
    for (;;) {
      const before = p;
      while (p < end && ((table[b[p] as number] as number) & SPACE) !== 0) p++;
      if (p >= end) return this.#unfinished(start, from);
      const c = b[p];
      if (c === GT) {
        p++;
        break;
      }
      if (c === SLASH) {
        if (p + 1 >= end) return this.#unfinished(start, from);
        if (b[p + 1] !== GT) throw malformed("'/' in a tag");
        p += 2;
        selfClosing = true;
        break;
      }
      if (p === before) throw malformed('no space before an attribute');
      const name = p;
      let attributeColon = 0;
      p = ncName(b, p, end);
      if (p > 0 && b[p] === COLON) {
        attributeColon = p;
        p = ncName(b, p + 1, end);
      }
      if (p < 0) return this.#unfinished(start, from);
      const afterName = p;
      while (p < end && ((table[b[p] as number] as number) & SPACE) !== 0) p++;
      if (p >= end) return this.#unfinished(start, from);
      if (b[p++] !== EQUALS) throw malformed('an attribute without a value');
      while (p < end && ((table[b[p] as number] as number) & SPACE) !== 0) p++;
      if (p >= end) return this.#unfinished(start, from);
      const quote = b[p++] as number;
      if (quote !== QUOTE && quote !== APOSTROPHE) throw malformed('an attribute without quotes');
      const value = p;
      p = attributeValue(b, p, end, quote);
      if (p < 0) return this.#unfinished(start, from);

      if (count >= this.#maxAttributes) throw tooMuch('too many attributes');
      const length = afterName - name;
      const hash = nameHash(b[name] as number, length);
      if ((hashes & hash) !== 0 || count >= MANY) this.#checkDuplicate(b, name, afterName, count);
      hashes |= hash;
      const slot = count * STRIDE;
      attributes[slot] = name;
      attributes[slot + 1] = afterName;
      attributes[slot + 2] = attributeColon;
      attributes[slot + 3] = value;
      attributes[slot + 4] = p;
      if (attributeColon > 0) hasPrefixes ||= !isXmlPrefix(b, name, attributeColon);
      else if (length === 5 && matches(b, name, 'xmlns')) defaultAt = slot;
      else if (isRoot) noteRootAttribute(this, b, start, name, length, value, p);
      count++;
      p++;
    }

    this.#push(from + 1 - start, nameEnd - from - 1);
    if (defaultAt >= 0) {
      checkDefaultAt(b, attributes, defaultAt);
      if (this.#coverDepth === 0) this.#coverDepth = this.#depth;
    }
    if (colon === 0 && this.#coverDepth === 0) this.inheritsDefault = true;
    const namespace = hasPrefixes
      ? resolvePrefixes(b, attributes, count, this.#scopes, this.#depth, from + 1, colon)
      : '';
    if (isRoot) {
      this.nameEnd = nameEnd - start;
      this.openEnd = p - start;
      this.selfClosing = selfClosing;
      if (colon === 0) {
        this.prefix = '';
        this.name = rootName(b, from + 1, nameEnd);
        this.ns = defaultAt < 0 ? this.outerDefault : namespaceAt(b, attributes, defaultAt);
      } else {
        this.prefix = b.toString('utf8', from + 1, colon);
        this.name = rootName(b, colon + 1, nameEnd);
        this.ns = namespace;
      }
    }
    if (selfClosing) this.#leave();
    return p;
  }

  #checkDuplicate(b: Buffer, name: number, end: number, count: number): void {
    if (count === MANY) this.#seen = namesOf(b, this.#attributes, count);
    if (count < MANY) checkAmongFew(b, this.#attributes, count, name, end);
    else checkAmongMany(b, this.#seen as Set<string>, name, end);
  }
}
