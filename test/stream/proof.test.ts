/** Whose stream it is (S9): a session that the proxy keeps is resumed by nobody but its account. */
import type { Effect, Input, NegotiationRules, Side } from '../../proxy/stream/negotiation/io.ts';
import { NegotiationMachine } from '../../proxy/stream/negotiation/machine.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type StreamHeader } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('proof of the account');

const header: StreamHeader = {
  attributes: new Map([
    ['to', 'localhost'],
    ['version', '1.0'],
  ]),
  declarations: new Map(),
};
const said = (from: Side, text: string): Input => ({ type: 'stanza', from, stanza: parseStanza(text) });
const resume = (previd = 'kept', version: string = NS.sm3) => `<resume xmlns='${version}' previd='${previd}' h='3'/>`;
const bindResult = (id: string, jid: string) =>
  `<iq type='result' id='${id}'><bind xmlns='${NS.bind}'><jid>${jid}</jid></bind></iq>`;
const clientBinds = `<iq type='set' id='b'><bind xmlns='${NS.bind}'><resource>phone</resource></bind></iq>`;
const failed = `<failed xmlns='${NS.sm3}'><item-not-found xmlns='${NS.stanzaErrors}'/></failed>`;

/** A stream that is authenticated, at a server with these features, and what is said on it from there on. */
function authenticated(change: Partial<NegotiationRules> = {}, features = `<bind xmlns='${NS.bind}'/>`) {
  const machine = new NegotiationMachine({
    hosts: new Set(['localhost']),
    startTls: false,
    trusted: true,
    encrypted: false,
    plainOnly: false,
    streamManagement: true,
    newStreamId: () => 'proof',
    maxFailures: 3,
    ownerOf: ({ previd }) => (previd === 'kept' ? 'alice@localhost' : undefined),
    ...change,
  });
  const mechanisms = `<mechanisms xmlns='${NS.sasl}'><mechanism>PLAIN</mechanism></mechanisms>`;
  const auth = Buffer.from('\0alice\0secret').toString('base64');
  const before: readonly Input[] = [
    { type: 'header', from: 'client', header },
    { type: 'dialed' },
    { type: 'header', from: 'server', header },
    said('server', `<stream:features>${mechanisms}</stream:features>`),
    said('client', `<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${auth}</auth>`),
    said('server', `<success xmlns='${NS.sasl}'/>`),
    { type: 'header', from: 'client', header },
    { type: 'header', from: 'server', header },
  ];
  for (const input of before) machine.step(input);
  const shown = machine.step(said('server', `<stream:features>${features}</stream:features>`));
  assert.is(machine.phase, 'authenticated');
  return { shown: texts(shown), say: (from: Side, text: string) => texts(machine.step(said(from, text))), machine };
}

/** Effects as words: `to SIDE: TEXT` for what is sent, `DO SIDE` or `DO` for the rest; counters are left out. */
function texts(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.do === 'forward') return [`to ${effect.to}: ${effect.stanza}`];
    if (effect.do === 'send') return [`to ${effect.to}: ${effect.xml}`];
    if (effect.do === 'refused') return [];
    const side = 'on' in effect ? ` ${effect.on}` : 'to' in effect ? ` ${effect.to}` : '';
    return [`${effect.do}${side}`];
  });
}

test('where the server has no XEP-0198 it is added to the features, behind what the server offers', () => {
  const { shown } = authenticated();
  assert.equal(shown, [
    `to client: <stream:features><bind xmlns='${NS.bind}'/><sm xmlns='${NS.sm2}'/><sm xmlns='${NS.sm3}'/></stream:features>`,
    'release client',
  ]);
});

const bind = `<bind xmlns='${NS.bind}'/>`;
const untouched: readonly [string, string, Partial<NegotiationRules>][] = [
  ['the server has it', `${bind}<sm xmlns='${NS.sm3}'/>`, {}],
  ['the server has the older one', `${bind}<sm xmlns='${NS.sm2}'/>`, {}],
  ['nothing can be bound', "<x xmlns='y'/>", {}],
  ['it is switched off', bind, { streamManagement: false }],
];
for (const [why, features, change] of untouched) {
  test(`nothing is added to the features when ${why}`, () => {
    const { shown } = authenticated(change, features);
    assert.is(shown[0], `to client: <stream:features>${features}</stream:features>`);
  });
}

test('a bind result of the account grants the resumption, once the stream that was bound is at its end', () => {
  const { say, machine } = authenticated();
  assert.equal(say('client', resume()), [
    'hold client',
    `to server: <iq type='set' id='proof'><bind xmlns='${NS.bind}'/></iq>`,
  ]);
  assert.equal(say('server', bindResult('proof', 'Alice@localhost/x')), ['end server', 'resumed-here']);
  assert.is(machine.phase, 'bound');
});

test('of another account it is refused, and the client gets what was bound when it binds', () => {
  const { say, machine } = authenticated();
  say('client', resume());
  assert.equal(say('server', bindResult('proof', 'mallory@localhost/x')), [`to client: ${failed}`, 'release client']);
  assert.equal(say('client', resume()), [`to client: ${failed}`], 'no second resource');
  assert.equal(say('client', resume('nothing')), [`to client: ${failed}`]);
  assert.equal(say('client', clientBinds), [
    'hold client',
    'hold server',
    `to client: ${bindResult('b', 'mallory@localhost/x').replace('<iq', `<iq xmlns='${NS.client}'`)}`,
    'bound',
  ]);
  assert.is(machine.phase, 'bound');
});

test('who asks for a session of its own behind one that is not, gets it', () => {
  const { say } = authenticated({ ownerOf: ({ previd }) => `${previd}@localhost` });
  say('client', resume('bob'));
  say('server', bindResult('proof', 'alice@localhost/x'));
  assert.equal(say('client', resume('alice')), ['hold client', 'end server', 'resumed-here']);
});

/** The session is at another node, and belongs to `owner` by that node's word. */
function elsewhere(owner = 'alice@localhost') {
  const one = authenticated({ ownerOf: () => undefined, mayRecall: true });
  const bound = (jid: string) => one.say('server', bindResult('proof', jid));
  const hears = (input: Input) => texts(one.machine.step(input));
  assert.equal(one.say('client', resume()), ['hold client', 'recall']);
  assert.equal(hears({ type: 'recalled', xml: undefined, owner }), [
    `to server: <iq type='set' id='proof'><bind xmlns='${NS.bind}'/></iq>`,
  ]);
  return { ...one, bound, hears };
}

test('at another node too a bind result of the account grants it; the stream that was bound ends when the leg is lent', () => {
  const { machine, bound, hears } = elsewhere();
  assert.equal(bound('alice@localhost/x'), ['lend']);
  assert.equal(hears({ type: 'lent', isTaken: true }), ['end server', 'lent']);
  assert.is(machine.phase, 'bound');
});

test('of another account a session at another node is refused, and stays unheard of there', () => {
  const { bound, say } = elsewhere();
  assert.equal(bound('mallory@localhost/x'), [`to client: ${failed}`, 'release client']);
  assert.equal(say('client', clientBinds).at(-1), 'bound', 'the client gets what was bound');
});

test('a session at another node that has ended when its client has proved whose it is, is refused', () => {
  const { machine, bound, hears, say } = elsewhere();
  bound('alice@localhost/x');
  assert.equal(hears({ type: 'lent', isTaken: false }), [`to client: ${failed}`, 'release client']);
  assert.is(machine.phase, 'authenticated');
  // Another try needs no second resource.
  assert.equal(say('client', resume()), ['hold client', 'recall']);
  assert.equal(hears({ type: 'recalled', xml: undefined, owner: 'bob@localhost' }), [
    `to client: ${failed}`,
    'release client',
  ]);
  assert.equal(say('client', resume()), ['hold client', 'recall']);
  assert.equal(hears({ type: 'recalled', xml: undefined, owner: 'alice@localhost' }), ['lend']);
});

test('a proof that failed says nothing for the next session that is asked for', () => {
  const kept = ({ previd }: { readonly previd: string }) => (previd === 'here' ? 'alice@localhost' : undefined);
  const { say, machine } = authenticated({ ownerOf: kept, mayRecall: true });
  say('client', resume());
  machine.step({ type: 'recalled', xml: undefined, owner: 'alice@localhost' });
  assert.equal(say('server', `<iq type='error' id='proof'/>`), [`to client: ${failed}`, 'release client']);
  say('client', resume('here'));
  assert.equal(say('server', bindResult('proof', 'alice@localhost/x')), ['end server', 'resumed-here']);
});

test('a client that goes while its leg is offered leaves no stream behind', () => {
  const { bound, hears } = elsewhere();
  bound('alice@localhost/x');
  assert.equal(hears({ type: 'closed', from: 'client' }), ['end server', 'over']);
  assert.equal(hears({ type: 'lent', isTaken: true }), []);
});

test('a session that ends while it is proved whose it is, is refused', () => {
  let owner: string | undefined = 'alice@localhost';
  const { say } = authenticated({ ownerOf: () => owner });
  say('client', resume());
  owner = undefined;
  assert.equal(say('server', bindResult('proof', 'alice@localhost/x')), [`to client: ${failed}`, 'release client']);
});

test('a server that binds nothing proves nothing: the client may try', () => {
  const { say } = authenticated();
  say('client', resume('kept', NS.sm2));
  assert.equal(say('server', `<iq type='error' id='other'/>`), [`to client: <iq type='error' id='other'/>`]);
  assert.equal(say('server', `<iq type='error' id='proof'/>`), [
    `to client: ${failed.replace(NS.sm3, NS.sm2)}`,
    'release client',
  ]);
  assert.equal(say('client', clientBinds), ['hold client', `to server: ${clientBinds}`]);
});

test('a server that says not what it has bound ends both streams', () => {
  const { say } = authenticated();
  say('client', resume());
  assert.equal(say('server', `<iq type='result' id='proof'/>`), ['error client', 'end server', 'over']);
});

test('an unknown session costs no round trip', () => {
  const { say } = authenticated();
  assert.equal(say('client', resume('nothing')), [`to client: ${failed}`]);
});

test.run();
