import fc from 'fast-check';
import type { Effect, Input, NegotiationRules, Side } from '../../proxy/stream/negotiation/io.ts';
import { NegotiationMachine } from '../../proxy/stream/negotiation/machine.ts';
import type { Phase } from '../../proxy/stream/negotiation/state.ts';
import type { Violation } from '../../proxy/xml/framer.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type StreamHeader } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('negotiation as a machine');

const rules: NegotiationRules = {
  hosts: new Set(['localhost', 'other.example']),
  startTls: false,
  trusted: true,
  encrypted: false,
  plainOnly: false,
  streamManagement: false,
  newStreamId: () => 'our-id',
  maxFailures: 3,
  resume: ({ previd }) => (previd === 'known' ? `<resume xmlns='${NS.sm3}' previd='known' h='7'/>` : undefined),
};

const base64 = (text: string) => Buffer.from(text).toString('base64');
const header = (attributes: Record<string, string>): StreamHeader => ({
  attributes: new Map(Object.entries(attributes)),
  declarations: new Map(),
});
const violation: Violation = { condition: 'restricted-xml', text: 'no' };
const mechanisms = `<mechanisms xmlns='${NS.sasl}'><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms>`;

const texts: Record<Side, string[]> = {
  client: [
    `<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${base64('\0alice\0secret')}</auth>`,
    `<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${base64('bob\0alice\0secret')}</auth>`,
    `<auth xmlns='${NS.sasl}' mechanism='SCRAM-SHA-1'>${base64('n,,n=alice,r=abc')}</auth>`,
    `<response xmlns='${NS.sasl}'>Yz1iaXdz</response>`,
    `<response xmlns='${NS.sasl}'>!</response>`,
    `<abort xmlns='${NS.sasl}'/>`,
    `<starttls xmlns='${NS.tls}'/>`,
    `<iq type='set' id='b'><bind xmlns='${NS.bind}'/></iq>`,
    `<iq type='set' id='u'><unbind xmlns='${NS.bind}'/></iq>`,
    `<iq type='set' id='l'><query xmlns='${NS.iqAuth}'><username>a</username><password>b</password><resource>c</resource></query></iq>`,
    `<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>`,
    `<resume xmlns='${NS.sm3}' previd='p' h='0'/>`,
    `<authenticate xmlns='${NS.sasl2}'/>`,
    `<resume xmlns='${NS.sm3}' previd='known' h='1'/>`,
    `<resume xmlns='${NS.sm3}' previd='unknown' h='1'/>`,
    '<message/>',
    `<stream:error><reset xmlns='${NS.streamErrors}'/></stream:error>`,
  ],
  server: [
    `<stream:features>${mechanisms}</stream:features>`,
    `<stream:features><bind xmlns='${NS.bind}'/></stream:features>`,
    `<challenge xmlns='${NS.sasl}'/>`,
    `<success xmlns='${NS.sasl}'/>`,
    `<failure xmlns='${NS.sasl}'><not-authorized/></failure>`,
    `<iq type='result' id='b'><bind xmlns='${NS.bind}'><jid>alice@localhost/x</jid></bind></iq>`,
    `<iq type='error' id='b'/>`,
    `<iq type='error' id='our-id'/>`,
    `<iq type='result' id='l'/>`,
    `<iq type='error' id='l'/>`,
    `<resumed xmlns='${NS.sm3}' previd='known' h='2'/>`,
    `<failed xmlns='${NS.sm3}'><item-not-found xmlns='${NS.stanzaErrors}'/></failed>`,
    '<message/>',
    `<stream:error><host-gone xmlns='${NS.streamErrors}'/></stream:error>`,
  ],
};

const headers = [
  header({ to: 'localhost', version: '1.0' }),
  header({ to: 'localhost' }),
  header({ to: 'other.example', version: '1.0' }),
  header({ version: '1.0' }),
];

const said = (from: Side, text: string): Input => ({ type: 'stanza', from, stanza: parseStanza(text) });
const opens = (from: Side, given = headers[0] as StreamHeader): Input => ({ type: 'header', from, header: given });

const ordinary: readonly Input[] = [
  ...texts.client.map((text) => said('client', text)),
  ...texts.server.map((text) => said('server', text)),
  ...headers.flatMap((given) => [opens('client', given), opens('server', given)]),
  { type: 'dialed' },
  { type: 'encrypted' },
  { type: 'recalled', xml: undefined },
  { type: 'recalled', xml: undefined, owner: 'alice@localhost' },
  { type: 'lent', isTaken: false },
  { type: 'recalled', xml: `<resume xmlns='${NS.sm3}' previd='unknown' h='7'/>` },
];

const deadly: readonly Input[] = [
  { type: 'dial-failed', violation },
  { type: 'end', from: 'client' },
  { type: 'end', from: 'server' },
  { type: 'closed', from: 'client' },
  { type: 'closed', from: 'server' },
  { type: 'violation', from: 'client', violation },
  { type: 'violation', from: 'server', violation },
  { type: 'timeout', of: 'client' },
  { type: 'timeout', of: 'server' },
  { type: 'stop', violation },
];

/** What brings a negotiation on: without it, chance would rarely get far. */
const helpful: Partial<Record<Phase, Input>> = {
  start: opens('client'),
  dial: { type: 'dialed' },
  handshake: { type: 'encrypted' },
  'tls-only': said('client', `<starttls xmlns='${NS.tls}'/>`),
  greeting: opens('server'),
  features: said('server', texts.server[0] ?? ''),
  open: said('client', texts.client[0] ?? ''),
  exchange: said('server', `<success xmlns='${NS.sasl}'/>`),
  restart: opens('client'),
  regreeting: opens('server'),
  refeatures: said('server', texts.server[1] ?? ''),
  binding: said('server', texts.server[5] ?? ''),
  recalling: { type: 'recalled', xml: `<resume xmlns='${NS.sm3}' previd='unknown' h='7'/>` },
  login: said('server', `<iq type='result' id='l'/>`),
  lending: { type: 'lent', isTaken: true },
  proving: said(
    'server',
    `<iq type='result' id='our-id'><bind xmlns='${NS.bind}'><jid>alice@localhost/y</jid></bind></iq>`,
  ),
};

/** Whether the server is told that its stream is over. */
function endsServersStream(effect: Effect): boolean {
  return (effect.do === 'end' || effect.do === 'error') && effect.to === 'server';
}

/** A number chooses from what can happen: half of them what helps, if there is something, one of twenty some end. */
function choose(world: World, choice: number): Input {
  const help = helpful[world.machine.phase];
  if (help !== undefined && choice % 2 > 0) return help;
  const kinds = choice % 20 === 0 ? deadly : ordinary;
  const possible = kinds.filter((input) => world.canHappen(input));
  return possible[Math.floor(choice / 20) % possible.length] ?? { type: 'timeout', of: 'client' };
}

const choices = fc.noBias(fc.array(fc.nat({ max: 9_999 }), { minLength: 30, maxLength: 60 }));

const anyRules = fc.record({
  startTls: fc.boolean(),
  trusted: fc.boolean(),
  encrypted: fc.boolean(),
  plainOnly: fc.boolean(),
  streamManagement: fc.boolean(),
  mayRecall: fc.boolean(),
  ownerOf: fc.constantFrom(
    () => undefined,
    () => 'alice@localhost',
    () => 'bob@localhost',
  ),
});

/** What the surroundings of a machine are in, after its effects: which of its inputs can come at all. */
class World {
  readonly machine: NegotiationMachine;
  clientHeld = false;
  clientEnded = false;
  clientSpeaks = false;
  upstream: 'none' | 'dialing' | 'open' | 'ended' = 'none';
  handshake = false;
  expects: Record<Side, 'header' | 'stanza'> = { client: 'header', server: 'header' };
  bound = 0;
  over = 0;

  constructor(change: Partial<NegotiationRules>) {
    this.machine = new NegotiationMachine({ ...rules, ...change });
  }

  /** Whether legs as they are could bring this about. */
  canHappen(input: Input): boolean {
    switch (input.type) {
      case 'header':
      case 'stanza': {
        const open = input.from === 'client' ? !this.clientHeld && !this.clientEnded : this.upstream === 'open';
        return open && this.expects[input.from] === input.type;
      }
      case 'end':
      case 'closed':
      case 'violation':
        return input.from === 'client' || this.upstream === 'open';
      case 'dialed':
      case 'dial-failed':
        return this.upstream === 'dialing';
      case 'encrypted':
        return this.handshake;
      case 'recalled':
        return this.machine.phase === 'recalling';
      case 'lent':
        return this.machine.phase === 'lending';
      case 'timeout':
      case 'stop':
        return true;
    }
  }

  take(input: Input): Effect[] {
    if (input.type === 'header') this.expects[input.from] = 'stanza';
    if (input.type === 'dialed') this.upstream = 'open';
    if (input.type === 'dial-failed') this.upstream = 'none';
    if (input.type === 'encrypted') {
      this.handshake = false;
      this.clientHeld = false;
      this.clientSpeaks = false;
      this.expects.client = 'header';
    }
    const wasResuming = this.machine.phase === 'resuming';
    const effects = this.machine.step(input);
    if (wasResuming) assert.not.ok(effects.some(endsServersStream), 'the end of the stream is that of the session');
    for (const [at, effect] of effects.entries()) this.#carryOut(effect, at === effects.length - 1);
    return effects;
  }

  #carryOut(effect: Effect, isLast: boolean): void {
    assert.is(this.bound + this.over, 0, `${effect.do} behind the end`);
    switch (effect.do) {
      case 'header':
        if (effect.to === 'client') this.clientSpeaks = true;
        else assert.is(this.upstream, 'open');
        break;
      case 'forward':
      case 'send':
        if (effect.to === 'client')
          assert.ok(this.clientSpeaks && !this.clientEnded, 'sent on a stream without header');
        else assert.is(this.upstream, 'open');
        break;
      case 'error':
      case 'end':
        if (effect.to === 'client') this.clientEnded = true;
        else {
          assert.ok(this.upstream === 'open' || this.upstream === 'dialing');
          this.upstream = 'ended';
        }
        break;
      case 'drop':
        assert.is(this.upstream, 'open');
        this.upstream = 'ended';
        break;
      case 'hold':
        if (effect.on === 'client') assert.is(this.clientHeld, false, 'held twice');
        if (effect.on === 'client') this.clientHeld = true;
        break;
      case 'release':
        assert.ok(isLast, 'release must be the last');
        assert.is(this.clientHeld, true, 'released without being held');
        this.clientHeld = false;
        break;
      case 'restart':
        this.expects[effect.on] = 'header';
        if (effect.on === 'client') this.clientSpeaks = false;
        break;
      case 'start-tls':
        assert.ok(this.clientHeld);
        this.handshake = true;
        break;
      case 'dial':
        assert.ok(this.upstream === 'none' || this.upstream === 'ended');
        this.upstream = 'dialing';
        this.expects.server = 'header';
        break;
      case 'bound':
      case 'resumed':
        assert.ok(isLast && this.clientHeld && this.upstream === 'open');
        this.bound += 1;
        break;
      case 'resumed-here':
      case 'lent':
        assert.ok(isLast && this.clientHeld && this.upstream === 'ended');
        this.bound += 1;
        break;
      case 'over':
        assert.ok(isLast);
        assert.ok(this.upstream === 'none' || this.upstream === 'ended', 'an upstream stays behind');
        this.over += 1;
        break;
      default:
        break;
    }
  }
}

test('whatever happens: held before each answer, nothing without a header, both sides ended, the end only once', () => {
  const phases = new Set<string>();
  let resumed = 0;
  fc.assert(
    fc.property(anyRules, choices, (change, chosen) => {
      const world = new World(change);
      for (const choice of chosen) {
        const effects = world.take(choose(world, choice));
        phases.add(world.machine.phase);
        resumed += effects.filter((effect) => effect.do === 'resumed-here').length;
      }
    }),
    { numRuns: 1_000, seed: 20_261_121 },
  );
  const wanted = [
    'tls-only',
    'handshake',
    'exchange',
    'abort',
    'login',
    'authenticated',
    'binding',
    'proving',
    'lending',
    'recalling',
    'resuming',
    'bound',
    'over',
  ];
  assert.equal(
    wanted.filter((phase) => !phases.has(phase)),
    [],
    'phases that no run has reached',
  );
  assert.ok(resumed > 0);
});

test('no authorisation identity but the own ever reaches the server', () => {
  const foreign = fc.constantFrom('bob', 'bob@localhost', 'alice@other.example', 'localhost');
  fc.assert(
    fc.property(foreign, choices, (authzid, chosen) => {
      const world = new World({});
      for (const choice of chosen) world.take(choose(world, choice));
      const bad = said(
        'client',
        `<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${base64(`${authzid}\0alice\0secret`)}</auth>`,
      );
      if (!world.canHappen(bad)) return;
      assert.ok(!world.take(bad).some((effect) => effect.do === 'forward' && effect.to === 'server'));
    }),
    { numRuns: 200 },
  );
});

test('nothing has any effect behind the end', () => {
  const machine = new NegotiationMachine(rules);
  machine.step({ type: 'closed', from: 'client' });
  assert.is(machine.phase, 'over');
  assert.equal(machine.step({ type: 'timeout', of: 'client' }), []);
  assert.equal(machine.step({ type: 'header', from: 'client', header: header({ to: 'localhost' }) }), []);
});

test.run();
