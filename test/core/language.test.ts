/** Languages of streams (RFC 6120 section 8.1.5): when a stanza says its own, and when it passes as it is. */
import { inCarriersLanguage, inOwnLanguage, keptLanguage, languageIn, languagesOf } from '../../proxy/core/language.ts';
import { entryStanza } from '../../proxy/core/log-entry.ts';
import { createOccupancy } from '../../proxy/core/occupancy.ts';
import { fromPortable, toPortable } from '../../proxy/core/portable.ts';
import { RoomSet } from '../../proxy/core/room-set.ts';
import { Services } from '../../proxy/core/services.ts';
import {
  type AccountState,
  type Carrier,
  type CarrierId,
  createAccountState,
  type Session,
  type SessionId,
} from '../../proxy/core/state.ts';
import { readEntry, writeEntry } from '../../proxy/core/stored-log.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, settings, World } from './world.ts';

const test = suite('languages of streams');
const text = (attributes = '') =>
  parseStanza(`<message to='${ROOM}' from='${ROOM}/bob'${attributes}><body>x</body></message>`);

/** Sessions, each with its own stream, by what their headers say: of the client, of the server. */
function account(...all: [own: string | undefined, server: string | undefined][]) {
  const state = createAccountState(BARE, 'm-', settings, new Services());
  for (const [index, [own, server]] of all.entries()) {
    const [id, carrier] = [`s${index}` as SessionId, `c${index}` as CarrierId];
    const languages = languagesOf(own, server);
    const common = { jid: `${BARE}/${id}`, languages };
    state.sessions.set(id, { ...common, id, carrier } as unknown as Session);
    const one: Carrier = {
      ...common,
      id: carrier,
      kind: 'borrowed',
      session: id,
      status: 'ready',
      rooms: new RoomSet(),
      heardAt: 0,
    };
    state.carriers.set(carrier, one);
  }
  const session = (index: number) => state.sessions.get(`s${index}` as SessionId) as Session;
  const carrier = (index: number) => state.carriers.get(`c${index}` as CarrierId) as Carrier;
  return { state, session, carrier };
}

function carriedBy(state: AccountState, carrier: string | undefined): void {
  const room = createOccupancy(ROOM as BareKey, ROOM, 'alice', settings);
  room.phase = 'joined';
  room.carrier = carrier as CarrierId | undefined;
  state.rooms.set(room.key, room);
}

test('tables: what goes to the room', () => {
  const cases: [
    streams: [string | undefined, string | undefined][],
    carrier: string | undefined,
    language: string | undefined,
  ][] = [
    [[['de', 'en']], undefined, undefined],
    [[['de', 'en']], 'c0', undefined],
    [
      [
        ['de', 'en'],
        ['fr', 'en'],
      ],
      'c1',
      'de',
    ],
    [
      [
        ['de', 'en'],
        ['fr', 'en'],
      ],
      'c0',
      undefined,
    ],
    [
      [
        ['de', 'en'],
        ['DE', 'en'],
      ],
      'c1',
      undefined,
    ],
    [
      [
        ['de', 'en'],
        [undefined, 'en'],
      ],
      'c1',
      'de',
    ],
    [
      [
        ['de', 'en'],
        ['fr', 'en'],
      ],
      undefined,
      'de',
    ],
    [
      [
        [undefined, 'en'],
        ['fr', 'en'],
      ],
      'c1',
      undefined,
    ],
    [
      [
        ["de' x='y", 'en'],
        ['fr', 'en'],
      ],
      'c1',
      undefined,
    ],
    [
      [
        ['x'.repeat(300), 'en'],
        ['fr', 'en'],
      ],
      'c1',
      undefined,
    ],
  ];
  for (const [streams, carrier, language] of cases) {
    const { state, session } = account(...streams);
    carriedBy(state, carrier);
    const said = text();
    const sent = inOwnLanguage(state, session(0), said);
    assert.is(sent.root.attr('xml:lang'), language);
    if (language === undefined) assert.is(sent, said, 'as it came');
    const own = text(" xml:lang='it'");
    assert.is(inOwnLanguage(state, session(0), own), own);
  }
});

test('where an account stream may come, what is to be sent says its language', () => {
  const { state, session } = account(['de', 'en']);
  state.accountStream = 'opening';
  assert.is(inOwnLanguage(state, session(0), text()).root.attr('xml:lang'), 'de');
});

test('what a carrier hears says its language where the streams of sessions have others', () => {
  const same = account(['de', 'en'], ['fr', 'en']);
  const heard = text();
  assert.is(inCarriersLanguage(same.state, same.carrier(0), heard), heard);
  for (const other of ['fr', undefined]) {
    const { state, carrier } = account(['de', 'de'], [other, other]);
    assert.is(inCarriersLanguage(state, carrier(0), text()).root.attr('xml:lang'), 'de');
    const marked = text(" xml:lang='it'");
    assert.is(inCarriersLanguage(state, carrier(0), marked), marked);
  }
  const silent = account([undefined, undefined], ['fr', 'fr']);
  assert.is(inCarriersLanguage(silent.state, silent.carrier(0), heard), heard);
});

test('what was kept while all streams had one language says it to a later session with another, and nobody is told anew', () => {
  const german = { own: 'de', server: 'de' };
  for (const isLost of [false, true]) {
    const world = new World();
    const a = world.bind(undefined, 'one', german);
    const b = world.bind(undefined, 'two', german);
    for (const one of [a, b]) world.join(one);
    world.settle();
    world.roomSays();
    world.settle();
    const before = world.client(b).told.length;
    for (const { root } of world.client(b).told) assert.is(root.attr('xml:lang'), undefined);
    if (isLost) world.lose(a);
    const late = world.bind(undefined, 'three', { own: 'fr', server: 'fr' });
    world.join(late);
    world.settle();
    assert.is(world.client(late).place, 'in');
    const { told } = world.client(late);
    assert.is(told.filter(({ root }) => root.child('body')).length, 1);
    assert.equal(
      told.filter(({ root }) => root.attr('xml:lang') !== 'de').map(({ name }) => name),
      [],
    );
    assert.is(world.client(b).told.length, before);
  }
});

test('what an earlier home has left without a language is given none that only this one has', () => {
  const world = new World();
  const german = { own: 'de', server: 'de' };
  const a = world.bind(undefined, 'one', german);
  world.join(a);
  world.settle();
  const [room] = [...world.state.rooms.values()];
  const xml = (id: string, attributes = ''): string =>
    `<message xmlns='jabber:client' type='groupchat' from='${ROOM}/bob' id='${id}'${attributes}><body>${id}</body></message>`;
  const stored = (text: string) => readEntry(Buffer.from(`[1,${world.now},0]\n${text}`));
  room?.log.precede([stored(xml('unknown')), stored(xml('french', " xml:lang='fr'"))], world.now, () => true);
  room?.log.add(parseStanza(xml('here')), world.now);
  // It stays so when the account moves to another home.
  const texts: Buffer[] = [];
  const written = toPortable(world.state, { put: (text) => texts.push(text) - 1 }, world.now);
  const { bare, settings, services } = world.state;
  const source = { get: (ref: number) => texts[ref] ?? Buffer.alloc(0) };
  for (const state of [world.state, fromPortable(written, source, { bare, settings, services })]) {
    world.state = state;
    world.join(world.bind(undefined, `late ${texts.length}`, { own: 'fr', server: 'fr' }));
    const entries = [...state.rooms.values()][0]?.log.entries(world.now) ?? [];
    assert.equal(
      entries.map((entry) => [entryStanza(entry).id, entryStanza(entry).root.attr('xml:lang')]),
      [
        ['unknown', undefined],
        ['french', 'fr'],
        ['here', 'de'],
      ],
    );
    assert.equal(
      entries.map((entry) => readEntry(writeEntry(entry, 'it')).isUnlabelled),
      [true, undefined, undefined],
    );
  }
});

test('what is kept and says no language is in that of all sessions, else of the stream that carries the room', () => {
  const cases: [
    streams: [string | undefined, string | undefined][],
    carrier: string | undefined,
    string | undefined,
  ][] = [
    [[['de', 'de']], 'c0', 'de'],
    [
      [
        ['de', 'de'],
        ['fr', 'de'],
      ],
      'c1',
      'de',
    ],
    [
      [
        ['de', 'de'],
        ['fr', 'fr'],
      ],
      'c0',
      undefined,
    ],
    [[['de', 'de']], undefined, 'de'],
    [[[undefined, undefined]], 'c0', undefined],
    [[], undefined, undefined],
  ];
  for (const [streams, carrier, language] of cases) {
    const { state } = account(...streams);
    carriedBy(state, carrier);
    const [room] = [...state.rooms.values()];
    assert.is(room && keptLanguage(state, room), language, JSON.stringify(streams));
  }
  const { state } = account(['de', 'de']);
  carriedBy(state, 'c0');
  const [room] = [...state.rooms.values()];
  state.sessions.clear();
  assert.is(room && keptLanguage(state, room), 'de', 'nobody is there');
  // A stream that says nothing has heard something in a language that nobody knows.
  const silent = account(['de', 'de'], [undefined, undefined]);
  carriedBy(silent.state, 'c1');
  silent.state.sessions.delete('s1' as SessionId);
  const [other] = [...silent.state.rooms.values()];
  assert.is(other && keptLanguage(silent.state, other), undefined);
});

test('a presence that is made from another one is in its language', () => {
  assert.is(languageIn(parseStanza("<presence xml:lang='de-AT'/>")), " xml:lang='de-AT'");
  for (const none of ['<presence/>', '<presence xml:lang="\'/>"/>']) assert.is(languageIn(parseStanza(none)), '');
});

test.run();
