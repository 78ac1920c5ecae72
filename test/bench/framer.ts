/** How fast the framer is on ordinary traffic: MB/s and ns per stanza, for several ways in which it arrives. */
import { pathToFileURL } from 'node:url';
import { Fork, readdress } from '../../proxy/xml/edit.ts';
import { Framer } from '../../proxy/xml/framer.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'>`;
const GROUPCHAT = `<message to='juliet@example.org/tablet' from='coven@chat.example.org/romeo' type='groupchat' id='a7f3c1e2'><body>But soft, what light through yonder window breaks?</body><stanza-id xmlns='urn:xmpp:sid:0' by='coven@chat.example.org' id='1718281828459045'/></message>`;
const PRESENCE = `<presence to='juliet@example.org/tablet' from='coven@chat.example.org/romeo' xml:lang='en'><show>away</show><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='participant'/><status code='110'/></x></presence>`;
const IQ = `<iq type='result' to='juliet@example.org/tablet' id='ping-17'><query xmlns='jabber:iq:version'><name>x</name></query></iq>`;
const CYRILLIC = `<message to='juliet@example.org/tablet' from='coven@chat.example.org/romeo' type='groupchat' id='a7f3c1e2'><body>Но тише! Что за свет блеснул в окне? О, там восток! Джульетта — это солнце.</body></message>`;

const limits = { stanzaBytes: 262_144, depth: 200, attributes: 200 };

interface Case {
  readonly name: string;
  readonly stanzas: readonly string[];
  readonly chunkBytes: number;
  readonly reads?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'groupchat, 64 KiB chunks', stanzas: [GROUPCHAT], chunkBytes: 65_536 },
  { name: 'groupchat, one stanza a chunk', stanzas: [GROUPCHAT], chunkBytes: Buffer.byteLength(GROUPCHAT) },
  { name: 'mixed, 64 KiB chunks', stanzas: [GROUPCHAT, PRESENCE, IQ], chunkBytes: 65_536 },
  {
    name: 'mixed, 64 KiB chunks, to, from, type read',
    stanzas: [GROUPCHAT, PRESENCE, IQ],
    chunkBytes: 65_536,
    reads: true,
  },
  { name: 'mixed, 1460 byte chunks', stanzas: [GROUPCHAT, PRESENCE, IQ], chunkBytes: 1460 },
  { name: 'mixed, 16 byte chunks', stanzas: [GROUPCHAT, PRESENCE, IQ], chunkBytes: 16 },
  { name: 'one tag of 256 KiB, 64 byte chunks', stanzas: [`<iq id='${'x'.repeat(262_000)}'/>`], chunkBytes: 64 },
  { name: 'one tag of 256 KiB, single bytes', stanzas: [`<iq id='${'x'.repeat(262_000)}'/>`], chunkBytes: 1 },
  { name: 'Cyrillic text, 64 KiB chunks', stanzas: [CYRILLIC], chunkBytes: 65_536 },
];

function frame({ name, stanzas, chunkBytes, reads }: Case): void {
  const text = Buffer.from(stanzas.join('').repeat(Math.ceil(4_000_000 / stanzas.join('').length)));
  const chunks: Buffer[] = [];
  for (let at = 0; at < text.length; at += chunkBytes) chunks.push(text.subarray(at, at + chunkBytes));
  let seen = 0;
  let letters = 0;
  const framer = new Framer('tcp', limits, {
    header() {},
    stanza(stanza: Stanza) {
      seen++;
      if (reads) letters += (stanza.to?.length ?? 0) + (stanza.from?.length ?? 0) + (stanza.type?.length ?? 0);
    },
    end() {},
    violation(violation) {
      throw new Error(violation.text);
    },
  });
  framer.push(Buffer.from(HEADER));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const start = process.hrtime.bigint();
    for (const chunk of chunks) framer.push(chunk);
    best = Math.min(best, Number(process.hrtime.bigint() - start));
  }
  if (seen === 0 || letters < 0) throw new Error('nothing framed');
  report(name, best, text.length, seen / 10);
}

function report(name: string, nanoseconds: number, bytes: number, count: number): void {
  const speed = `${((bytes / nanoseconds) * 1000).toFixed(0)} MB/s`.padStart(10);
  console.log(`${name.padEnd(48)}${speed}${`${(nanoseconds / count).toFixed(0)} ns each`.padStart(16)}`);
}

function fork(): void {
  const stanza = parseStanza(GROUPCHAT);
  const own = stanza.declarations;
  const rounds = 200_000;
  const measure = (name: string, make: (fork: Fork) => Buffer): void => {
    let best = Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (let round = 0; round < 5; round++) {
      const one = new Fork(stanza);
      bytes = 0;
      const start = process.hrtime.bigint();
      for (let i = 0; i < rounds; i++) bytes += make(one).length;
      best = Math.min(best, Number(process.hrtime.bigint() - start));
    }
    report(name, best, bytes, rounds);
  };
  measure('fork, one recipient', (one) => one.for('nurse@example.org/phone', own));
  measure('fork to a WebSocket, one recipient', (one) => one.for('nurse@example.org/phone', 'websocket'));
  measure('fork, prepared for one recipient only', () => new Fork(stanza).for('nurse@example.org/phone', own));
  measure('readdress, to and from', () => readdress(stanza, { to: 'nurse@example.org/phone', from: null }));
}

export async function run(): Promise<void> {
  for (const one of CASES) frame(one);
  fork();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
