/**
 * A client, a server and the two legs of a session between them, with every element on its way in a queue, so that a test
 * decides what arrives, what is lost, and when. The proxy's part is the real one but for its sockets and its rules.
 */
import type { Leg, LegHandler } from '../../proxy/net/leg.ts';
import { SILENT } from '../../proxy/net/leg.ts';
import { SessionLegs } from '../../proxy/runtime/session-legs.ts';
import { legsFromText, legsToText } from '../../proxy/runtime/session-snapshot.ts';
import { Inbound, WRAP } from '../../proxy/stream/management/inbound.ts';
import { Outbound } from '../../proxy/stream/management/outbound.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert } from '../support/suite.ts';

const SM = `xmlns='${NS.sm3}'`;

/** One of the four things that can be on their way. */
export type Act =
  | 'client-relayed'
  | 'client-room'
  | 'client-asked'
  | 'server-relayed'
  | 'server-room'
  | 'server-swallowed'
  | 'own'
  | 'to-proxy'
  | 'to-server'
  | 'from-server'
  | 'to-client'
  | 'client-r'
  | 'server-r'
  | 'client-a'
  | 'server-a'
  | 'answer-late'
  | 'cut-client'
  | 'cut-server'
  | 'suspend'
  | 'congest'
  | 'drain'
  | 'move'
  | 'resume'
  | 'resume-slowly'
  | 'resume-elsewhere'
  | 'refused';

/** An end of a managed stream, by the book: XEP-0198 section 4 with numbers that never wrap, wrapped on the wire only. */
class Peer {
  received: number;
  acknowledged: number;
  readonly heard: string[] = [];
  unacknowledged: string[] = [];

  constructor(start: number) {
    this.received = start;
    this.acknowledged = start;
  }

  get h(): number {
    return this.received % WRAP;
  }

  /** The other side has handled `h`: never more than it was sent. */
  handled(h: number): void {
    const count = (h - (this.acknowledged % WRAP) + WRAP) % WRAP;
    assert.ok(
      count <= this.unacknowledged.length,
      `h='${h}' where at most ${this.acknowledged + this.unacknowledged.length}`,
    );
    this.unacknowledged.splice(0, count);
    this.acknowledged += count;
  }
}

/** A connection of the proxy, as far as a session uses it: what it sends is in `out`. */
class ModelLeg {
  handler: LegHandler = SILENT;
  readonly declared = USUAL_DECLARATIONS;
  /** On their way to the proxy, and from it. */
  readonly in: string[] = [];
  readonly out: string[] = [];
  congested = false;
  expectAnswer(): void {}
  isOpen = true;

  send(xml: string | Buffer): void {
    if (this.isOpen) this.out.push(xml.toString());
  }

  write(bytes: Buffer): void {
    this.send(bytes);
  }

  forward(stanza: Stanza): void {
    this.send(Buffer.from(stanza.bytes));
  }

  destroy(): void {
    this.isOpen = false;
  }

  release(): void {}

  resume(): void {}
}

export class MapWorld {
  readonly client: Peer;
  readonly server: Peer;
  legs: SessionLegs;
  #down = new ModelLeg();
  #up = new ModelLeg();
  #serial = 0;
  #isResuming = false;
  /** In the order in which the proxy first had them: what each end must come to hear. */
  readonly #forClient: string[] = [];
  readonly #relayedUp: string[] = [];
  readonly #roomUp: string[] = [];
  readonly #taken = new Set<string>();

  /** `start`: where all four counters stand. */
  constructor(start: number) {
    this.client = new Peer(start);
    this.server = new Peer(start);
    this.legs = new SessionLegs(this.#down as unknown as Leg, this.#up as unknown as Leg);
    this.legs.listen(this.#clientHandler(), this.#serverHandler());
    this.#stanza('client', `<enable ${SM} resume='true'/>`);
    this.#stanza('server', `<enabled ${SM} resume='true' id='previd' max='300'/>`);
    this.#down.out.length = 0;
    this.#up.out.length = 0;
    const { managed } = this.legs;
    assert.ok(managed);
    managed.management.fromClient = Inbound.resume({ handled: start, entries: [] });
    managed.management.fromServer = Inbound.resume({ handled: start, entries: [] });
    managed.management.toClient = Outbound.resume({ acknowledged: start, queue: [] });
    managed.management.toServer = Outbound.resume({ acknowledged: start, queue: [] });
  }

  act(act: Act): void {
    const id = `${act}-${this.#serial}`;
    this.#serial += 1;
    const message = (kind: string): string => `<message id='${id}' type='${kind}'/>`;
    switch (act) {
      case 'client-relayed':
        this.#clientSends(message('relayed'));
        this.#relayedUp.push(id);
        return;
      case 'client-room':
        this.#clientSends(message('room'));
        this.#roomUp.push(id);
        return;
      case 'client-asked':
        this.#clientSends(message('asked'));
        return;
      case 'server-relayed':
        this.#serverSends(message('relayed'));
        return;
      case 'server-room':
        this.#serverSends(message('room'));
        return;
      case 'server-swallowed':
        this.#serverSends(message('swallowed'));
        return;
      case 'own':
        this.#give(message('own'));
        return;
      case 'to-proxy':
        this.#pass('client', this.#down.in.shift());
        return;
      case 'from-server':
        this.#pass('server', this.#up.in.shift());
        return;
      case 'to-client':
        this.#arrive('client', this.#down.out.shift());
        return;
      case 'to-server':
        this.#arrive('server', this.#up.out.shift());
        return;
      case 'client-r':
        this.#down.in.push(`<r ${SM}/>`);
        return;
      case 'server-r':
        this.#up.in.push(`<r ${SM}/>`);
        return;
      case 'client-a':
        this.#down.in.push(`<a ${SM} h='${this.client.h}'/>`);
        return;
      case 'server-a':
        this.#up.in.push(`<a ${SM} h='${this.server.h}'/>`);
        return;
      case 'answer-late':
        for (const side of ['client', 'server'] as const) this.legs.managed?.management.answerNow(side);
        return;
      case 'cut-client':
        this.#cutClient();
        return;
      case 'cut-server':
        this.#cutClient();
        this.#suspend();
        return;
      case 'suspend':
        if (this.legs.isHibernating) this.#suspend();
        return;
      case 'congest':
        this.#up.congested = true;
        return;
      case 'drain':
        this.#up.congested = false;
        this.legs.outlet.drain();
        return;
      case 'move':
        if (this.legs.isHibernating && this.legs.isSuspended) this.#move();
        return;
      case 'resume':
        this.#resume(() => {});
        return;
      case 'resume-slowly':
      case 'resume-elsewhere':
        // The old connections live on while the server makes up its mind; the client reads its new one only.
        this.#resume(() => {
          for (const one of ['to-proxy', 'from-server', 'own', 'to-server'] as const) this.act(one);
        }, act === 'resume-elsewhere');
        return;
      case 'refused':
        this.legs.prepareResume(this.client.h);
        this.legs.abandonResume();
        return;
    }
  }

  /** All connections work again, and everything on its way arrives. */
  settle(): void {
    this.act('drain');
    this.#resume(() => {});
    for (let round = 0; round < 4; round += 1) {
      this.#flush();
      for (const act of ['server-r', 'client-r'] as const) this.act(act);
    }
    this.#flush();
  }

  /** What must hold once everything has arrived. */
  check(): void {
    assert.equal(this.client.heard, this.#forClient, 'each stanza for the client once, in its place');
    const heard = (ids: readonly string[]): string[] => this.server.heard.filter((id) => ids.includes(id));
    assert.equal(heard(this.#relayedUp), this.#relayedUp, 'each relayed stanza once, in order');
    assert.equal(heard(this.#roomUp), this.#roomUp, 'each stanza for a room once, in order');
    assert.is(this.server.heard.length, this.#relayedUp.length + this.#roomUp.length);
    assert.equal(this.client.unacknowledged, [], "the client's are all acknowledged");
    assert.equal(this.server.unacknowledged, [], "the server's are all acknowledged");
  }

  clientClaims(h: number): string {
    return this.legs.manage('client', parseStanza(Buffer.from(`<a ${SM} h='${h}'/>`)));
  }

  prepare(h: number): string | undefined {
    return this.legs.prepareResume(h);
  }

  #flush(): void {
    const { in: fromClient, out: toClient } = this.#down;
    const { in: fromServer, out: toServer } = this.#up;
    while (fromClient.length + toClient.length + fromServer.length + toServer.length > 0) {
      for (const act of ['to-proxy', 'from-server', 'to-client', 'to-server'] as const) this.act(act);
    }
  }

  #clientSends(xml: string): void {
    this.client.unacknowledged.push(xml);
    // Before `<resumed/>` it does not know what the server has.
    if (this.#down.isOpen && !this.#isResuming) this.#down.in.push(xml);
  }

  #serverSends(xml: string): void {
    this.server.unacknowledged.push(xml);
    if (this.#up.isOpen) this.#up.in.push(xml);
  }

  /** Something of the account's for the client. */
  #give(xml: string): void {
    this.#forClient.push(idOf(xml));
    this.legs.deliver(Buffer.from(xml));
  }

  /** An element reaches the proxy. */
  #pass(side: 'client' | 'server', xml: string | undefined): void {
    const leg = side === 'client' ? this.#down : this.#up;
    if (xml !== undefined && leg.isOpen) this.#stanza(side, xml);
  }

  #stanza(side: 'client' | 'server', xml: string): void {
    const leg = side === 'client' ? this.#down : this.#up;
    leg.handler.stanza(parseStanza(Buffer.from(xml)));
  }

  /** An element reaches an end: also what has left a proxy that has closed behind it. */
  #arrive(side: 'client' | 'server', xml: string | undefined): void {
    if (xml === undefined) return;
    const peer = side === 'client' ? this.client : this.server;
    const answer = (text: string): void => {
      const leg = side === 'client' ? this.#down : this.#up;
      if (leg.isOpen) leg.in.push(text);
    };
    if (xml.startsWith('<r ')) answer(`<a ${SM} h='${peer.h}'/>`);
    else if (xml.startsWith('<a ')) peer.handled(hOf(xml));
    else if (xml.startsWith('<resumed ')) {
      this.#isResuming = false;
      peer.handled(hOf(xml));
      for (const again of peer.unacknowledged) answer(again);
    } else {
      peer.received += 1;
      peer.heard.push(idOf(xml));
    }
  }

  #clientHandler(): LegHandler {
    return {
      ...SILENT,
      stanza: (stanza) => {
        if (this.legs.manage('client', stanza) !== 'not-management') return;
        if (!this.legs.begin('client', stanza)) return;
        const id = stanza.id ?? '';
        if (stanza.type === 'relayed') this.legs.relayUp(stanza);
        else this.#once(id);
        if (stanza.type === 'room') this.legs.outlet.send(undefined, stanza.bytes.toString());
        if (stanza.type === 'asked') {
          this.#forClient.push(`answer-${id}`);
          this.legs.send(`<message id='answer-${id}' type='error'/>`);
        }
        this.legs.finish('client');
      },
    };
  }

  #serverHandler(): LegHandler {
    return {
      ...SILENT,
      stanza: (stanza) => {
        if (this.legs.manage('server', stanza) !== 'not-management') return;
        if (!this.legs.begin('server', stanza)) return;
        const id = stanza.id ?? '';
        if (stanza.type === 'relayed') {
          if (!this.#forClient.includes(id)) this.#forClient.push(id);
          this.legs.relayDown(stanza);
        } else this.#once(id);
        if (stanza.type === 'room') this.#give(`<message id='${id}' type='fork'/>`);
        this.legs.finish('server');
      },
    };
  }

  /** What is dealt with at the proxy is dealt with once. */
  #once(id: string): void {
    assert.ok(!this.#taken.has(id), `${id} is acted on twice`);
    this.#taken.add(id);
  }

  /** The client's connection breaks, with all that is on its way. */
  #cutClient(): void {
    this.#down.isOpen = false;
    this.#down.in.length = 0;
    this.#down.out.length = 0;
    this.legs.isHibernating = true;
  }

  #suspend(): void {
    if (this.legs.isSuspended) return;
    this.legs.suspend();
    this.#up.in.length = 0;
    // Of what the proxy had sent the server gets the beginning.
    this.#up.out.splice(Math.floor(this.#up.out.length / 2));
    while (this.#up.out.length > 0) this.#arrive('server', this.#up.out.shift());
  }

  /** The session goes on elsewhere, as the text that was kept of it. */
  #move(): void {
    const text = legsToText(this.legs.snapshot());
    this.legs = new SessionLegs(this.#down as unknown as Leg, this.#up as unknown as Leg);
    this.legs.listen(this.#clientHandler(), this.#serverHandler());
    this.legs.restore(legsFromText(text));
  }

  /** A new connection of the client, and one to the server, which grants it. */
  #resume(meanwhile: () => void, isElsewhere = false): void {
    const { h } = this.client;
    const request = this.legs.prepareResume(h);
    assert.ok(request, 'there is a session to resume');
    meanwhile();
    // The node that was asked gives the session to the one on which the server has granted it.
    if (isElsewhere) {
      this.#cutClient();
      this.#suspend();
      this.#move();
    }
    // From here on the client has only its new connection; the server ends the old one, and has what was sent on it or not.
    this.#down.isOpen = false;
    this.#up.in.length = 0;
    this.#up.out.length = 0;
    this.server.handled(hOf(request));
    this.#isResuming = true;
    this.#down = new ModelLeg();
    this.#up = new ModelLeg();
    this.#up.in.push(...this.server.unacknowledged, `<r ${SM}/>`);
    this.#grant(h);
  }

  #grant(h: number): void {
    const answer = parseStanza(Buffer.from(`<resumed ${SM} previd='previd' h='${this.server.h}'/>`));
    const isResumed = this.legs.resume({
      request: { previd: 'previd', h, version: NS.sm3, domain: 'localhost' },
      answer,
      client: this.#down as unknown as Leg,
      server: this.#up as unknown as Leg,
    });
    assert.ok(isResumed, 'the counts fit');
  }
}

function idOf(xml: string): string {
  return / id='([^']*)'/.exec(xml)?.[1] ?? '';
}

function hOf(xml: string): number {
  return Number(/ h='(\d+)'/.exec(xml)?.[1]);
}
