/**
 * Stream management where the server has none (S9): the proxy agrees to it by itself, and keeps what is for a client until it is
 * acknowledged. Against a reference: an end that counts by the book, and connections that break with what is on their way.
 */
import fc from 'fast-check';
import { type Leg, type LegHandler, SILENT } from '../../proxy/net/leg.ts';
import { SessionLegs } from '../../proxy/runtime/session-legs.ts';
import { WRAP } from '../../proxy/stream/management/inbound.ts';
import { Outbound } from '../../proxy/stream/management/outbound.ts';
import { type OwnTerms, ownEnabled, stamped } from '../../proxy/stream/management/own.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('own stream management');
const SM = `xmlns='${NS.sm3}'`;
const terms: OwnTerms = { bare: "o'al@localhost", mostMs: 300_500, newId: () => 'id', now: () => 1_700_000_000_000 };

const enables: readonly [string, string][] = [
  ["resume='true'", " id='id' resume='true' max='300'"],
  ["resume='1' max='60'", " id='id' resume='true' max='60'"],
  ["resume='true' max='9999'", " id='id' resume='true' max='300'"],
  ["resume='true' max='soon'", " id='id' resume='true' max='300'"],
  ["resume='true' max='0'", ''],
  ["max='60'", ''],
  ["resume='false'", ''],
];
for (const [asked, granted] of enables) {
  test(`S9 <enable ${asked}/> is answered by what holds`, () => {
    for (const ns of [NS.sm3, NS.sm2]) {
      const { xml, kept } = ownEnabled(parseStanza(`<enable xmlns='${ns}' ${asked}/>`), terms);
      assert.is(xml, `<enabled xmlns='${ns}'${granted}/>`);
      const max = / max='(\d+)'/.exec(granted)?.[1];
      assert.equal(kept, max === undefined ? undefined : { ms: Number(max) * 1000, previd: 'id' });
    }
  });
}

const delay = "<delay xmlns='urn:xmpp:delay' from='o&apos;al@localhost' stamp='2023-11-14T22:13:20.000Z'/>";
const messages: readonly [string, string][] = [
  ['<message><body>a</body></message>', `<message><body>a</body>${delay}</message>`],
  [
    "<message type='chat'><x></y></x></message >".replace('</y>', '<y/>'),
    `<message type='chat'><x><y/></x>${delay}</message >`,
  ],
  ["<message><delay xmlns='urn:xmpp:delay'/></message>", "<message><delay xmlns='urn:xmpp:delay'/></message>"],
  ['<message/>', '<message/>'],
  ["<message type='error'><error/></message>", "<message type='error'><error/></message>"],
  ['<presence><show>away</show></presence>', '<presence><show>away</show></presence>'],
];
for (const [text, kept] of messages) {
  test(`S9 ${text} is kept with the time of its coming, if it tells none`, () => {
    assert.is(stamped(parseStanza(text), Buffer.from(text), terms).toString(), kept);
  });
}

type Act =
  | 'client-relayed'
  | 'client-room'
  | 'server'
  | 'own'
  | 'to-proxy'
  | 'to-client'
  | 'client-r'
  | 'client-a'
  | 'cut'
  | 'resume'
  | 'resume-slowly';

/** A connection to a client. */
class ModelLeg {
  handler: LegHandler = SILENT;
  readonly declared = USUAL_DECLARATIONS;
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

  forward(stanza: { bytes: Buffer }): void {
    this.send(Buffer.from(stanza.bytes));
  }

  destroy(): void {
    this.isOpen = false;
  }

  resume(): void {}
}

class OwnWorld {
  readonly legs: SessionLegs;
  /** What the server has been written, and all else that the client's stanzas have come to. */
  readonly atServer: string[] = [];
  readonly sent: string[] = [];
  readonly heard: string[] = [];
  readonly forClient: string[] = [];
  /** What the client has sent and not seen acknowledged. */
  unacknowledged: string[] = [];
  #received: number;
  #acknowledged: number;
  #leg = new ModelLeg();
  #isResuming = false;
  #serial = 0;
  #lowest = 0;

  constructor(start: number) {
    const server = new ModelLeg();
    server.send = (xml) => this.#atServer(xml.toString());
    this.legs = new SessionLegs(this.#leg as unknown as Leg, server as unknown as Leg, undefined, {
      ...terms,
      bare: 'al@localhost',
    });
    this.legs.listen(this.#clientHandler(), SILENT);
    this.#leg.handler.stanza(parseStanza(`<enable ${SM} resume='true'/>`));
    assert.is(this.#leg.out.shift(), `<enabled ${SM} id='id' resume='true' max='300'/>`);
    const { managed } = this.legs;
    assert.ok(managed);
    managed.management.toClient = Outbound.resume({ acknowledged: start, queue: [] });
    this.#received = start;
    this.#acknowledged = 0;
  }

  act(act: Act): void {
    this.#serial += 1;
    const id = `${act}-${this.#serial}`;
    const message = (type: string): string => `<message id='${id}' type='${type}'><body/></message>`;
    if (act === 'client-relayed' || act === 'client-room') this.#clientSends(message(act), id);
    else if (act === 'server') {
      this.forClient.push(id);
      const stanza = parseStanza(Buffer.from(message('chat')));
      assert.ok(this.legs.begin('server', stanza));
      this.legs.relayDown(stanza);
      this.legs.finish('server');
    } else if (act === 'own') {
      this.forClient.push(id);
      this.legs.deliver(Buffer.from(message('groupchat')));
    } else if (act === 'to-proxy') this.#pass(this.#leg.in.shift());
    else if (act === 'to-client') this.#arrive(this.#leg.out.shift());
    else if (act === 'client-r') this.#leg.in.push(`<r ${SM}/>`);
    else if (act === 'client-a') this.#leg.in.push(`<a ${SM} h='${this.#received % WRAP}'/>`);
    else if (act === 'cut') this.#cut();
    else this.#resume(act === 'resume-slowly');
  }

  settle(): void {
    this.#resume(false);
    this.#flush();
    this.act('client-r');
    this.#flush();
  }

  check(): void {
    assert.equal(this.heard, this.forClient, 'each stanza for the client once, in its place');
    assert.equal(this.atServer, this.sent, "each of the client's once, in order");
    assert.equal(this.unacknowledged, []);
    assert.is(this.legs.managed?.management.toClient.waiting, 0, 'nothing is kept any more, nor has to be asked for');
    assert.equal(this.legs.unacknowledged, []);
  }

  #clientSends(xml: string, id: string): void {
    this.sent.push(id);
    this.unacknowledged.push(xml);
    if (this.#leg.isOpen && !this.#isResuming) this.#leg.in.push(xml);
  }

  #atServer(xml: string): void {
    this.atServer.push(idOf(xml));
  }

  #pass(xml: string | undefined): void {
    if (xml !== undefined && this.#leg.isOpen) this.#leg.handler.stanza(parseStanza(Buffer.from(xml)));
  }

  #clientHandler(): LegHandler {
    return {
      ...SILENT,
      stanza: (stanza) => {
        if (this.legs.manage('client', stanza) !== 'not-management') return;
        assert.ok(this.legs.begin('client', stanza), 'nothing comes twice');
        if (stanza.type === 'client-relayed') this.legs.relayUp(stanza);
        else this.#atServer(stanza.bytes.toString());
        this.legs.finish('client');
      },
    };
  }

  #arrive(xml: string | undefined): void {
    if (xml === undefined) return;
    if (xml.startsWith('<r ')) {
      if (this.#leg.isOpen) this.#leg.in.push(`<a ${SM} h='${this.#received % WRAP}'/>`);
    } else if (xml.startsWith('<a ')) this.#handled(hOf(xml));
    else if (xml.startsWith('<resumed ')) {
      this.#isResuming = false;
      this.#handled(hOf(xml));
      this.#leg.in.push(...this.unacknowledged);
    } else {
      this.#received += 1;
      this.heard.push(idOf(xml));
    }
  }

  /** What is acknowledged is at the server. */
  #handled(h: number): void {
    const count = h - this.#acknowledged;
    assert.ok(count >= 0 && count <= this.unacknowledged.length, `h='${h}' after ${this.#acknowledged}`);
    for (const xml of this.unacknowledged.splice(0, count)) {
      this.#lowest = this.atServer.indexOf(idOf(xml), this.#lowest);
      assert.ok(this.#lowest >= 0, `${idOf(xml)} is acknowledged and nowhere`);
    }
    this.#acknowledged = h;
  }

  #cut(): void {
    this.#leg.isOpen = false;
    this.#leg.in.length = 0;
    this.#leg.out.length = 0;
    this.legs.isHibernating = true;
  }

  /** `isSlow`: the old connection lives on until it is proved whose session it is. */
  #resume(isSlow: boolean): void {
    const h = this.#received % WRAP;
    assert.ok(this.legs.canResumeOwn(h));
    assert.not.ok(this.legs.canResumeOwn((h + 1_000) % WRAP));
    this.#isResuming = true;
    if (isSlow) for (const act of ['server', 'to-proxy', 'own', 'to-proxy'] as const) this.act(act);
    this.#leg.isOpen = false;
    this.#leg = new ModelLeg();
    assert.ok(this.legs.resumeOwn(h, this.#leg as unknown as Leg));
  }

  #flush(): void {
    while (this.#leg.in.length + this.#leg.out.length > 0)
      for (const act of ['to-proxy', 'to-client'] as const) this.act(act);
  }
}

function idOf(xml: string): string {
  return / id='([^']*)'/.exec(xml)?.[1] ?? '';
}

function hOf(xml: string): number {
  return Number(/ h='(\d+)'/.exec(xml)?.[1]);
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<Act>('client-relayed', 'client-room', 'server', 'own') },
  { weight: 16, arbitrary: fc.constantFrom<Act>('to-proxy', 'to-client') },
  { weight: 3, arbitrary: fc.constantFrom<Act>('client-r', 'client-a') },
  { weight: 3, arbitrary: fc.constantFrom<Act>('cut', 'resume', 'resume-slowly') },
);

test('S9 without the server’s help nothing is lost or doubled, all keeps its order, and all that is acknowledged is safe', () => {
  fc.assert(
    fc.property(fc.array(acts, { maxLength: 150, size: 'max' }), fc.constantFrom(0, WRAP - 3), (list, start) => {
      const world = new OwnWorld(start);
      for (const act of list) world.act(act);
      world.settle();
      world.check();
    }),
    { numRuns: 1500 },
  );
});

test('S9 what is left at the end of a session is what its client has not acknowledged, oldest first', () => {
  const world = new OwnWorld(0);
  for (const act of ['server', 'own', 'to-client', 'to-client', 'to-proxy', 'cut', 'server', 'own'] as const)
    world.act(act);
  const left = world.legs.unacknowledged ?? [];
  assert.equal(
    left.map(({ id }) => id),
    world.forClient.slice(1),
  );
  assert.ok(left[1]?.root.child('delay', NS.delay), 'relayed to nobody');
});

test.run();
