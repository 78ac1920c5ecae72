/**
 * Addresses in two ways: as text, to be passed on as it came; and as keys, for telling whether two of them name the same
 * thing. A key is never written into a stanza.
 */

export interface JidParts {
  /** '' if there is none. */
  readonly local: string;
  readonly domain: string;
  /** '' if there is none. */
  readonly resource: string;
}

/** A bare address, normalised for comparing. */
export type BareKey = string & { readonly __bare: true };
/** An address with its resource, normalised for comparing. */
export type FullKey = string & { readonly __full: true };

/** Splits the text: at the first '/', then at the first '@' before it (RFC 7622 section 3.1). Nothing is checked. */
export function splitJid(jid: string): JidParts {
  const bare = bareOf(jid);
  const at = bare.indexOf('@');
  return { local: at < 0 ? '' : bare.slice(0, at), domain: bare.slice(at + 1), resource: resourceOf(jid) };
}

/** The text without its resource. */
export function bareOf(jid: string): string {
  const slash = jid.indexOf('/');
  return slash < 0 ? jid : jid.slice(0, slash);
}

/** The text of the resource, '' if there is none. */
export function resourceOf(jid: string): string {
  const slash = jid.indexOf('/');
  return slash < 0 ? '' : jid.slice(slash + 1);
}

/**
 * Key of the bare address in a full or bare one; undefined if that is malformed. A resource is not looked at.
 * Normalised as the servers do it, by nodeprep and nameprep (RFC 6122).
 */
export function bareKey(jid: string): BareKey | undefined {
  let at = -1;
  let p = 0;
  for (; p < jid.length; p++) {
    const c = jid.charCodeAt(p);
    if (c === SLASH) break;
    if (c === AT && at < 0) at = p;
    else if (c >= 0x80 || PLAIN[c] === 0) return normalisedBare(bareOf(jid)) as BareKey | undefined;
  }
  if (at === 0 || at + 1 === p || at > MAX_BYTES || p - at - 1 > MAX_BYTES) return undefined;
  if (jid.charCodeAt(p - 1) === DOT) return normalisedBare(bareOf(jid)) as BareKey | undefined;
  return (p === jid.length ? jid : jid.slice(0, p)) as BareKey;
}

/**
 * Key by which one account is told from another: two addresses have the same one only if every server takes them for the
 * same account. Servers agree on the case of ASCII letters; about the rest stringprep of Unicode 3.2, PRECIS and the Unicode
 * of today differ (`\u1e9e`, `\u00df`, letters that have got a capital since): such text stands for itself alone.
 */
export function accountKey(jid: string): BareKey {
  const bare = bareOf(jid);
  const key = bareKey(bare);
  return key !== undefined && key === lowerAscii(bare) ? key : (bare as BareKey);
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Key of the address as a whole, the resource included if it has one; undefined if it is malformed. */
export function fullKey(jid: string): FullKey | undefined {
  const bare = bareKey(jid);
  const slash = jid.indexOf('/');
  if (bare === undefined || slash < 0) return bare as FullKey | undefined;
  const resource = jid.slice(slash + 1);
  const nick = nickKey(resource);
  if (nick === undefined) return undefined;
  return (nick === resource && bare.length === slash && jid.startsWith(bare) ? jid : `${bare}/${nick}`) as FullKey;
}

/**
 * Key of a nick or resource, normalised as by resourceprep (RFC 6122): case counts. Undefined if it is malformed: empty,
 * longer than 1023 bytes, or with control characters.
 */
export function nickKey(nick: string): string | undefined {
  let p = 0;
  while (p < nick.length) {
    const c = nick.charCodeAt(p);
    if (c < 0x20 || c > 0x7e) break;
    p++;
  }
  const key = p === nick.length ? nick : nick.normalize('NFKC').replace(MAPPED_TO_NOTHING, '');
  if (p < nick.length && NOT_IN_RESOURCE.test(key)) return undefined;
  return isOfGoodLength(key) ? key : undefined;
}

const SLASH = 0x2f;
const AT = 0x40;
const DOT = 0x2e;
/** Of each part, in UTF-8 (RFC 7622 section 3.1). */
const MAX_BYTES = 1023;

/** 1: ASCII that stands for itself both in a local part and in a domain. */
const PLAIN: Readonly<Uint8Array> = Uint8Array.from({ length: 128 }, (_, c) =>
  /[a-z0-9!#$%()*+,.;=?[\]^_`{|}~-]/.test(String.fromCharCode(c)) ? 1 : 0,
);

/** Table B.1 of RFC 3454. */
const MAPPED_TO_NOTHING = /[\u00ad\u1806\u200b\u2060\ufeff]|\u034f|\u200c|\u200d|[\u180b-\u180d]|[\ufe00-\ufe0f]/gu;
const NOT_IN_RESOURCE = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const NOT_IN_LOCAL = /["&'/:<>@\p{Z}\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const NOT_IN_DOMAIN = /["&'/<>@\\\p{Z}\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

function normalisedBare(bare: string): string | undefined {
  const at = bare.indexOf('@');
  // U+3002 counts as a dot (RFC 3490 section 3.1), and a final dot does not count (RFC 7622 section 3.2).
  const domain = folded(bare.slice(at + 1))
    .replaceAll('\u3002', '.')
    .replace(/\.$/, '');
  if (!isOfGoodLength(domain) || domain.endsWith('.') || NOT_IN_DOMAIN.test(domain)) return undefined;
  if (at < 0) return domain;
  const local = folded(bare.slice(0, at));
  if (!isOfGoodLength(local) || NOT_IN_LOCAL.test(local)) return undefined;
  return `${local}@${domain}`;
}

/** Case folding with compatibility normalisation: tables B.1 and B.2 of RFC 3454 as far as they matter for comparing. */
function folded(text: string): string {
  const lower = text.normalize('NFKC').replace(MAPPED_TO_NOTHING, '').toLowerCase();
  return lower.replaceAll('ß', 'ss').replaceAll('ς', 'σ').normalize('NFKC');
}

/** Neither empty nor too long. */
function isOfGoodLength(part: string): boolean {
  if (part.length === 0) return false;
  return part.length * 3 <= MAX_BYTES || Buffer.byteLength(part) <= MAX_BYTES;
}
