/** The archive of a room that has none (`archive: on`): ids that stay what they are, whatever happens to streams. */
import { archiveOf } from '../../proxy/core/archive.ts';
import { entryStanza } from '../../proxy/core/log-entry.ts';
import { stanzaIdOf } from '../../proxy/core/message-key.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';
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

test.run();
