/** A framer whose events become comparable lines. */
import { Framer, type FramerHandler, type FramerLimits, type Violation } from '../../proxy/xml/framer.ts';
import type { KnownTags } from '../../proxy/xml/known-tags.ts';
import type { Stanza, StreamHeader } from '../../proxy/xml/stanza.ts';

export const LIMITS: FramerLimits = { stanzaBytes: 4096, depth: 50, attributes: 40 };

export const HEADER =
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' ` +
  `xmlns:ack='http://www.xmpp.org/extensions/xep-0198.html#ns' to='localhost' version='1.0'>`;

export interface Recording extends FramerHandler {
  readonly framer: Framer;
  /** What was emitted, in order, white space left out: `header`, `stanza`, `end`, `violation` with their contents. */
  readonly lines: string[];
  readonly headers: StreamHeader[];
  readonly stanzas: Stanza[];
  readonly violations: Violation[];
  whitespaces: number;
}

/** `during` runs inside each `stanza` call. */
export function record(
  kind: 'tcp' | 'websocket' = 'tcp',
  limits: FramerLimits = LIMITS,
  during: (framer: Framer, stanza: Stanza) => void = () => {},
  knownTags?: KnownTags,
): Recording {
  const recording: Omit<Recording, 'framer'> = {
    lines: [],
    headers: [],
    stanzas: [],
    violations: [],
    whitespaces: 0,
    header(header) {
      this.headers.push(header);
      this.lines.push(`header ${JSON.stringify([...header.attributes])} ${JSON.stringify([...header.declarations])}`);
    },
    stanza(stanza) {
      this.stanzas.push(stanza);
      this.lines.push(describe(stanza));
      during(framer, stanza);
    },
    end() {
      this.lines.push('end');
    },
    violation(violation) {
      this.violations.push(violation);
      this.lines.push(`violation ${violation.condition} ${violation.text}`);
    },
    whitespace() {
      this.whitespaces++;
    },
  };
  const framer = new Framer(kind, limits, recording, undefined, knownTags);
  return Object.assign(recording, { framer });
}

/** All that the framer tells about a stanza. */
export function describe(stanza: Stanza): string {
  const { name, ns, prefix, to, from, id, type, inheritsDefault, outerPrefixes, selfClosing } = stanza;
  const facts = { name, ns, prefix, to, from, id, type, inheritsDefault, outerPrefixes, selfClosing };
  return `stanza ${JSON.stringify(facts)} ${stanza.toString()}`;
}

/** Pushes the bytes in chunks that end at these places (any order, out of range allowed), or else in one. */
export function pushSplit(framer: Framer, bytes: Buffer, cuts: readonly number[] = []): void {
  let from = 0;
  for (const cut of [...new Set(cuts)].sort((a, b) => a - b)) {
    if (cut <= from || cut >= bytes.length) continue;
    framer.push(Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  framer.push(Buffer.from(bytes.subarray(from)));
}

/** Pushes the bytes in chunks of that size. */
export function pushChunks(framer: Framer, bytes: Buffer, size: number): void {
  for (let at = 0; at < bytes.length; at += size) framer.push(Buffer.from(bytes.subarray(at, at + size)));
}
