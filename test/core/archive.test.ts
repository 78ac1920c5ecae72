/** The archive of a room that has none (`archive: on`): ids that stay what they are, whatever happens to streams. */
import { archiveOf, markLog } from '../../proxy/core/archive.ts';
import { entryStanza } from '../../proxy/core/log-entry.ts';
import { stanzaIdOf } from '../../proxy/core/message-key.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('archives of rooms that have none');
const feature = (name: string): string => `<feature var='${name}'/>`;

function inside(info: string, givesIds = false): { world: World; a: SessionId } {
  const world = new World({ settings: { archive: true }, room: { info, givesIds } });
  world.roomSays();
  const a = world.bind();
  world.join(a);
  world.settle();
  return { world, a };
}

function archive(world: World): { id: string; body: string | undefined }[] {
  const room = world.state.rooms.get(ROOM as BareKey);
  assert.ok(room);
  return archiveOf(room.log, world.now).map(({ id, entry }) => ({
    id,
    body: entryStanza(entry).root.child('body')?.text(),
  }));
}

const messages = (world: World, session: SessionId): Stanza[] =>
  world
    .client(session)
    .told.filter(({ name, type, root }) => name === 'message' && type === 'groupchat' && root.child('body'));

const given = (world: World, session: SessionId) => messages(world, session).map((one) => stanzaIdOf(one));

function ask(world: World, session: SessionId, xml: string): Stanza[] {
  const { told } = world.client(session);
  const before = told.length;
  world.send(session, xml);
  world.settle();
  return told.slice(before);
}

const query = `<iq type='set' id='q' to='${ROOM}'><query xmlns='${NS.mam}'/></iq>`;

test('history and what is heard live have ids, by which the archive knows them, each its own', () => {
  const { world, a } = inside('');
  for (let count = 0; count < 3; count += 1) world.roomSays();
  world.settle();
  const known = archive(world);
  assert.equal(
    known.map(({ body }) => body),
    ['1', '2', '3', '4'],
  );
  assert.is(new Set(known.map(({ id }) => id)).size, 4);
  assert.equal(
    given(world, a),
    known.map(({ id }) => id),
  );
  const answer = ask(world, a, query);
  assert.equal(
    answer.map(({ root }) => root.child('result')?.attr('id')),
    [...known.map(({ id }) => id), undefined],
  );
  assert.is(answer.at(-1)?.root.child('fin')?.attr('complete'), 'true');
});

test('a carrier that is lost, and the history that its successor is told, change no id and double nothing', () => {
  const { world, a } = inside('');
  const b = world.bind();
  world.join(b);
  world.settle();
  world.roomSays();
  world.settle();
  const known = archive(world);
  const before = given(world, b);
  const carrier = world.state.rooms.get(ROOM as BareKey)?.carrier;
  world.lose(carrier === world.client(a).carrier ? a : b);
  world.settle();
  const left = world.sessions.has(a) ? a : b;
  world.roomSays();
  world.settle();
  assert.equal(archive(world).slice(0, known.length), known);
  assert.is(archive(world).length, known.length + 1);
  assert.is(given(world, left).length, before.length + 1);
});

test('another home of the same account, or another account, gives the same ids', () => {
  const [one, other] = [inside(''), inside('')];
  for (const { world } of [one, other]) {
    world.roomSays();
    world.settle();
  }
  assert.equal(archive(one.world), archive(other.world));
  const { world, a } = one;
  const before = archive(world);
  world.leave(a);
  world.settle();
  if (world.timers.delete(`grace ${ROOM}`)) world.input({ kind: 'timer', key: `grace ${ROOM}` });
  world.settle();
  world.join(a);
  world.settle();
  assert.equal(archive(world), before);
});

test('ids of a room that says that it gives them are its own; of others they are not believed', () => {
  assert.equal(
    archive(inside(feature(NS.stanzaId), true).world).map(({ id }) => id),
    ['sb1'],
  );
  const [known] = archive(inside('', true).world);
  assert.ok(known?.id.startsWith('minimix-'), known?.id);
});

test('a room with an archive, or one that does not say, is asked itself', () => {
  for (const info of [feature(NS.mam), feature(NS.mam1), undefined]) {
    const world = new World({ settings: { archive: true }, room: info === undefined ? {} : { info } });
    const a = world.bind();
    world.join(a);
    world.settle();
    world.roomSays();
    world.settle();
    assert.equal(given(world, a), ['sb1']);
    assert.is(ask(world, a, query).at(-1)?.root.child('fin'), undefined);
  }
});

test('what the room says of itself names the archive to who is inside, and a room that gets one of its own keeps it', () => {
  const { world, a } = inside(feature('urn:x'));
  const info = (node: string): string =>
    `<iq type='get' id='i' to='${ROOM}'><query xmlns='${NS.discoInfo}'${node}/></iq>`;
  const features = (answer: Stanza[]) =>
    answer
      .at(-1)
      ?.root.child('query')
      ?.children.map((child) => child.attr('var'));
  assert.equal(features(ask(world, a, info(''))), ['urn:x', NS.mam, NS.mamExtended, NS.stanzaId]);
  assert.equal(features(ask(world, a, info(" node='urn:x'"))), ['urn:x']);
  const unsaid = archive(world).length;
  assert.is(unsaid, 1);
});

/** A message of bob's arrives at the account. */
function tell(world: World, inner: string, id?: string): void {
  const carrier = world.state.rooms.get(ROOM as BareKey)?.carrier;
  assert.ok(carrier);
  const name = id === undefined ? '' : ` id='${id}'`;
  const xml = `<message type='groupchat' from='${ROOM}/bob' to='alice@test/r1'${name}>${inner}</message>`;
  world.input({ kind: 'carrier-stanza', carrier, stanza: parseStanza(xml) });
}

const reaction = (id: string): string =>
  `<reactions xmlns='${NS.reactions}' id='${id}'><reaction>x</reaction></reactions>`;

test('what refers to a message refers to it on either side, by the id that is known there', () => {
  const { world, a } = inside('');
  tell(world, '<body>m</body>', 'm');
  const [name] = given(world, a).slice(-1);
  assert.ok(name);
  for (const kind of [
    `<reply xmlns='${NS.reply}' to='${ROOM}/bob' id='ID'/>`,
    `<displayed xmlns='${NS.markers}' id='ID'/>`,
    `<apply-to xmlns='${NS.fasten}' id='ID'/>`,
    `<attach-to xmlns='${NS.attach}' id='ID'/>`,
    reaction('ID'),
  ]) {
    tell(world, kind.replace('ID', 'm'));
    assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', kind.replace('ID', name));
    world.send(a, `<message type='groupchat' to='${ROOM}' id='w'>${kind.replace('ID', name)}</message>`);
    assert.match(world.sent.at(-1)?.stanza.bytes.toString() ?? '', kind.replace('ID', 'm'));
  }
  const replace = `<replace xmlns='${NS.correct}' id='${name}'/>`;
  world.send(a, `<message type='groupchat' to='${ROOM}' id='w'><body>better</body>${replace}</message>`);
  assert.match(world.sent.at(-1)?.stanza.bytes.toString() ?? '', "id='m'");
  tell(world, `<body>b</body><replace xmlns='${NS.correct}' id='m'/>`);
  assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', `<replace xmlns='${NS.correct}' id='m'/>`);
  for (const unknown of ['nobody', 'minimix-nobody', '']) {
    tell(world, reaction(unknown));
    assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', reaction(unknown));
    world.send(a, `<message type='groupchat' to='${ROOM}' id='w'>${reaction(unknown)}</message>`);
    assert.match(world.sent.at(-1)?.stanza.bytes.toString() ?? '', reaction(unknown));
  }
});

test('what refers to a message has one id itself, however it comes: live, or with the history of a join', () => {
  const [one, other] = [inside(''), inside('')];
  tell(one.world, '<body>m</body>', 'm');
  tell(one.world, `<body>+1</body>${reaction('m')}`, 'r');
  const known = archive(one.world);
  const room = other.world.state.rooms.get(ROOM as BareKey);
  assert.ok(room);
  for (const [id, inner] of [
    ['m', '<body>m</body>'],
    ['r', `<body>+1</body>${reaction('m')}`],
  ]) {
    room.log.add(
      parseStanza(`<message type='groupchat' from='${ROOM}/bob' id='${id}'>${inner}</message>`),
      other.world.now,
    );
  }
  markLog(room);
  assert.equal(archive(other.world), known);
  assert.match(room.log.entries(other.world.now).at(-1)?.text.toString() ?? '', reaction(known.at(-2)?.id ?? ''));
  markLog(room);
  assert.equal(archive(other.world), known);
});

test('an id that many have written means the last, of the occupant who is named where there is such a one', () => {
  const { world, a } = inside('');
  tell(world, '<body>one</body>', 'same');
  tell(world, '<body>two</body>', 'same');
  const [, two] = given(world, a).slice(-2);
  tell(world, reaction('same'));
  assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', reaction(two ?? ''));
  world.say(a, 'same');
  world.settle();
  const [mine] = given(world, a).slice(-1);
  assert.not.equal(mine, two);
  tell(world, `<retract xmlns='${NS.retract}' id='same'/>`);
  assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', `id='${two}'`);
  const reply = (id: string) => `<reply xmlns='${NS.reply}' to='${ROOM}/bob' id='${id}'/>`;
  tell(world, reply('same'));
  assert.match(world.client(a).told.at(-1)?.bytes.toString() ?? '', reply(two ?? ''));
});

test('a message that refers to more others than any does costs no more looks through the log', () => {
  const { world, a } = inside('');
  for (let count = 0; count < 20; count += 1) world.roomSays();
  world.settle();
  const known = archive(world).map(({ id }) => id);
  const room = world.state.rooms.get(ROOM as BareKey);
  assert.ok(room && known.length === 21);
  let looks = 0;
  const { log } = room;
  room.log = new Proxy(log, {
    get: (_, name) => {
      if (name === 'findLast') looks += 1;
      const value: unknown = Reflect.get(log, name, log);
      return typeof value === 'function' ? value.bind(log) : value;
    },
  });
  world.send(a, `<message type='groupchat' id='many' to='${ROOM}'>${known.map(reaction).join('')}</message>`);
  assert.is(looks, 8);
  const [sent] = world.sent.slice(-1);
  const ids = sent?.stanza.root.children.map((one) => one.attr('id')) ?? [];
  assert.is(ids.filter((id) => id?.startsWith('minimix-')).length, 13);
  looks = 0;
  const others = Array.from({ length: 20 }, (_, k) => reaction(`b${k}`)).join('');
  world.arrives(world.client(a).carrier, `<message type='groupchat' id='all' from='${ROOM}/bob'>${others}</message>`);
  assert.ok(looks > 0 && looks <= 16, `${looks}`);
});

test('an id that would make a message too big for the carrier is left as it is', () => {
  const { world, a } = inside('');
  tell(world, '<body>m</body>', 'x'.repeat(59_000));
  const [name] = given(world, a).slice(-1);
  const text = 'y'.repeat(2000);
  world.send(a, `<message type='groupchat' to='${ROOM}' id='w'><body>${text}</body>${reaction(name ?? '')}</message>`);
  assert.match(world.sent.at(-1)?.stanza.bytes.toString() ?? '', reaction(name ?? ''));
});

test('a query reads each text of the log once, and what was taken back keeps its id', () => {
  const { world, a } = inside('');
  tell(world, '<body>m</body>', 'm');
  tell(world, `<retract xmlns='${NS.retract}' id='m'/>`, 'r');
  const known = archive(world);
  const room = world.state.rooms.get(ROOM as BareKey);
  assert.ok(room);
  markLog(room);
  assert.equal(archive(world), known);
  ask(world, a, query);
  // A text that is read again now is none.
  for (const { text } of room.log.entries(world.now)) text.fill(0);
  assert.equal(
    archiveOf(room.log, world.now).map(({ id }) => id),
    known.map(({ id }) => id),
  );
});

test('of the presence of such a room everything is shown but the hash of what it can do', () => {
  const presence = (more: string) =>
    `<presence from='${ROOM}' to='alice@test/r1'>${more}<x xmlns='vcard-temp:x:update'/></presence>`;
  const hash = `<c xmlns='${NS.caps}' node='n' ver='v' hash='sha-1'/>`;
  for (const [info, isShown] of [
    ['', false],
    [feature(NS.mam), true],
  ] as const) {
    const { world, a } = inside(info);
    const carrier = world.state.rooms.get(ROOM as BareKey)?.carrier;
    assert.ok(carrier);
    world.input({ kind: 'carrier-stanza', carrier, stanza: parseStanza(presence(hash)) });
    const b = world.bind();
    world.join(b);
    world.settle();
    for (const session of [a, b]) {
      const told = world.client(session).told.filter(({ root }) => root.child('x', 'vcard-temp:x:update'));
      assert.equal(
        told.map(({ root }) => root.child('c') !== undefined),
        [isShown],
      );
    }
  }
});

test.run();
