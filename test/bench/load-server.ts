/**
 * A minimal XMPP server for loads: any login succeeds, stanzas to a bound JID are handed to it, and one service has rooms
 * that are always full and reflect what is said to who says it. Who enables stream management (XEP-0198) is asked for an
 * acknowledgement behind each chunk, as by Prosody. It knows just the XML that the load clients and the proxy write; it checks nothing.
 */
import { createServer, type Socket } from 'node:net';
import process from 'node:process';

const occupants = Number(process.argv[2] ?? 20);
const ROOMS = '@conference.localhost';
const MUC_USER = 'http://jabber.org/protocol/muc#user';
const HEADER =
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' ` +
  `from='localhost' id='load' version='1.0'>`;
const LOGIN =
  `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>X-LOAD</mechanism>` +
  `</mechanisms></stream:features>`;
const SM = `xmlns='urn:xmpp:sm:3'`;
const BIND = `<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm ${SM}/></stream:features>`;

const bound = new Map<string, Peer>();
const counters = { stanzas: 0, bytes: 0 };

class Peer {
  readonly socket: Socket;
  user = '';
  jid = '';
  #isLoggedIn = false;
  #rest = '';
  /** What is to be sent when the present chunk has been handled. */
  pending = '';
  /** Stanzas that have come and gone since stream management was enabled; undefined: it was not. */
  #managed: { came: number; gone: number; acknowledged: number; isAsked: boolean } | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (bound.get(this.jid) === this) bound.delete(this.jid);
    });
  }

  #receive(chunk: string): void {
    const text = this.#rest + chunk;
    if (this.jid !== '') counters.bytes += chunk.length;
    const touched = new Set<Peer>([this]);
    let at = 0;
    for (;;) {
      while (text.charCodeAt(at) <= 0x20) at++;
      const end = endOfElement(text, at);
      if (end < 0) break;
      this.#element(text.slice(at, end), touched);
      at = end;
    }
    this.#rest = text.slice(at);
    for (const peer of touched) peer.flush();
  }

  flush(): void {
    if (this.pending === '') return;
    const managed = this.#managed;
    if (managed && !managed.isAsked && managed.gone > managed.acknowledged) {
      managed.isAsked = true;
      this.pending += `<r ${SM}/>`;
    }
    this.socket.write(this.pending, 'latin1');
    this.pending = '';
  }

  /** A stanza for this client. */
  give(xml: string): void {
    this.pending += xml;
    if (this.#managed) this.#managed.gone += 1;
  }

  #element(xml: string, touched: Set<Peer>): void {
    if (xml.startsWith('<message')) this.#message(xml, touched);
    else if (xml.startsWith('<presence')) this.#presence(xml);
    else if (xml.startsWith('<iq')) this.#iq(xml);
    else {
      this.#other(xml);
      return;
    }
    if (this.jid !== '') counters.stanzas += 1;
    if (this.#managed) this.#managed.came += 1;
  }

  #other(xml: string): void {
    const managed = this.#managed;
    if (managed && xml.startsWith('<r ')) this.pending += `<a ${SM} h='${managed.came}'/>`;
    else if (managed && xml.startsWith('<a ')) {
      managed.acknowledged = Number(attribute(xml, 'h'));
      managed.isAsked = false;
    } else if (xml.startsWith('<enable ')) {
      this.#managed = { came: 0, gone: 0, acknowledged: 0, isAsked: false };
      this.pending += `<enabled ${SM} id='${this.jid}' resume='true' max='600'/>`;
    } else if (xml.startsWith('<stream:stream')) this.pending += HEADER + (this.#isLoggedIn ? BIND : LOGIN);
    else if (xml.startsWith('<auth')) {
      this.user = Buffer.from(xml.slice(xml.indexOf('>') + 1, xml.lastIndexOf('<')), 'base64').toString('latin1');
      this.#isLoggedIn = true;
      this.pending += `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`;
    } else if (xml.startsWith('</stream:stream')) {
      this.pending += '</stream:stream>';
      this.flush();
      this.socket.end();
    }
  }

  #message(xml: string, touched: Set<Peer>): void {
    const to = attribute(xml, 'to');
    if (to.includes(ROOMS)) {
      this.give(xml.replace(`to='${to}'`, `from='${to}/${this.user}' to='${this.jid}'`));
      return;
    }
    const peer = bound.get(to);
    if (!peer) return;
    peer.give(`<message from='${this.jid}'${xml.slice('<message'.length)}`);
    touched.add(peer);
  }

  #presence(xml: string): void {
    const to = attribute(xml, 'to');
    if (!to.includes(ROOMS)) return;
    const room = to.slice(0, to.indexOf('/'));
    const ours = `to='${this.jid}'`;
    const id = attribute(xml, 'id');
    if (xml.includes(`type='unavailable'`)) {
      this.give(`<presence from='${to}' ${ours} type='unavailable'>${self('none')}</presence>`);
      return;
    }
    if (!xml.includes('http://jabber.org/protocol/muc')) {
      this.give(`<presence from='${to}' ${ours}>${self('participant')}</presence>`);
      return;
    }
    for (let n = 1; n <= occupants; n++) {
      this.give(
        `<presence from='${room}/occupant ${n}' ${ours} id='9a3f0c62-${n}'><c xmlns='http://jabber.org/protocol/caps' ` +
          `hash='sha-1' node='https://client.example' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/><x xmlns='${MUC_USER}'>` +
          `<item affiliation='member' role='participant' jid='user${n}@localhost/phone'/></x></presence>`,
      );
    }
    this.give(`<presence from='${to}' ${ours} id='${id}'>${self('participant')}</presence>`);
    this.give(`<message from='${room}' ${ours} type='groupchat'><subject>load</subject></message>`);
  }

  #iq(xml: string): void {
    const id = attribute(xml, 'id');
    if (xml.includes('urn:ietf:params:xml:ns:xmpp-bind')) {
      const resource = xml.slice(xml.indexOf('<resource>') + 10, xml.indexOf('</resource>'));
      this.jid = `${this.user}@localhost/${resource}`;
      bound.set(this.jid, this);
      this.pending +=
        `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>` +
        `<jid>${this.jid}</jid></bind></iq>`;
    } else if (/ type=['"][gs]et['"]/.test(xml)) {
      const to = attribute(xml, 'to');
      this.give(`<iq type='result' id='${id}' to='${this.jid}'${to === '' ? '' : ` from='${to}'`}/>`);
    }
  }
}

/** Where the element that starts at `at` ends; -1: not here yet. */
function endOfElement(text: string, at: number): number {
  if (at >= text.length) return -1;
  const open = text.indexOf('>', at);
  if (open < 0) return -1;
  const c = text[at + 1];
  const isDone = c === '/' || c === '?' || text[open - 1] === '/' || text.startsWith('<stream:stream', at);
  if (isDone) return open + 1;
  let nameEnd = at + 1;
  while (nameEnd < open && text[nameEnd] !== ' ') nameEnd++;
  const closing = `</${text.slice(at + 1, nameEnd)}>`;
  const end = text.indexOf(closing, open);
  return end < 0 ? -1 : end + closing.length;
}

/** Of the opening tag; '' if there is none. */
function attribute(xml: string, name: string): string {
  const tag = xml.indexOf('>');
  for (const quote of ["'", '"']) {
    const at = xml.indexOf(` ${name}=${quote}`);
    if (at >= 0 && at < tag) return xml.slice(at + name.length + 3, xml.indexOf(quote, at + name.length + 3));
  }
  return '';
}

function self(role: string): string {
  return `<x xmlns='${MUC_USER}'><item affiliation='member' role='${role}'/><status code='110'/></x>`;
}

const server = createServer({ noDelay: true }, (socket) => {
  new Peer(socket);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') process.send?.({ port: address.port });
});
process.on('message', () => process.send?.(counters));
process.on('disconnect', () => process.exit(0));
