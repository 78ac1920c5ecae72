/** Addresses that a moderator may see, for devices that join after the account was made one (XEP-0045 section 4.2). */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('addresses for moderators');

const own = (world: World, id: SessionId, role: string): void => {
  const item = `<item affiliation='none' role='${role}'/><status code='110'/>`;
  const xml = `<presence from='${ROOM}/alice' to='x'><x xmlns='${NS.mucUser}'>${item}</x></presence>`;
  world.arrives(world.client(id).carrier, xml);
};

function inside(): { world: World; a: SessionId; b: SessionId } {
  const world = new World();
  world.room.others.add('carol');
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  return { world, a, b };
}

/** Lists that the proxy has asked for: ids by role. */
const asked = (world: World): Map<string, string> =>
  new Map(
    world.sent.flatMap(({ stanza }) => {
      const role = stanza.root.child('query', NS.mucAdmin)?.child('item')?.attr('role');
      return role === undefined ? [] : [[role, stanza.id ?? ''] as const];
    }),
  );

function list(world: World, id: SessionId, ask: string | undefined, items: string, from = ROOM): void {
  const query = `<query xmlns='${NS.mucAdmin}'>${items}</query>`;
  world.arrives(world.client(id).carrier, `<iq type='result' id='${ask}' from='${from}' to='x'>${query}</iq>`);
}

/** Who is shown to a session that joins now, and with which address. */
function shown(world: World): string[] {
  const late = world.bind();
  world.join(late);
  return world
    .client(late)
    .told.filter(({ name, from }) => name === 'presence' && from !== `${ROOM}/alice`)
    .map(({ from, root }) => `${from?.split('/')[1]} ${root.child('x', NS.mucUser)?.child('item')?.attr('jid')}`);
}

test('who joins after the account was made a moderator is shown addresses, once a promotion, and nobody else anything', () => {
  const { world, a, b } = inside();
  own(world, a, 'moderator');
  const first = asked(world);
  assert.equal([...first.keys()], ['moderator', 'participant', 'visitor']);
  for (const id of [a, b]) world.client(id).told.length = 0;
  list(world, a, first.get('moderator'), "<item nick='bob' jid='bob@test/x' role='moderator' affiliation='owner'/>");
  list(world, a, first.get('participant'), "<item nick='nobody' jid='no@test/x' role='participant'/>");
  const refused = `<iq type='error' id='${first.get('visitor')}' from='${ROOM}' to='x'><error type='auth'/></iq>`;
  world.arrives(world.client(a).carrier, refused);
  for (const id of [a, b]) assert.equal(world.client(id).told, []);
  assert.equal(shown(world).sort(), ['bob bob@test/x', 'carol undefined']);
  const count = world.sent.length;
  own(world, a, 'moderator');
  assert.is(world.sent.length, count, 'it is one already');
  own(world, a, 'participant');
  own(world, a, 'moderator');
  assert.is(world.sent.length, count + 3);
});

/** How a hand-over and the account's promotion cross, and how often the lists are asked for. */
const crossings = [
  { how: 'the old stream has asked, and goes before it is answered', isTold: true, isShown: true, questions: 2 },
  { how: 'only the new stream is shown it, before it carries the room', isTold: false, isShown: true, questions: 1 },
  { how: 'the account is none any more', isTold: true, isShown: false, questions: 1 },
  { how: 'it never was one', isTold: false, isShown: false, questions: 0 },
] as const;

for (const { how, isTold, isShown, questions } of crossings) {
  test(`a hand-over that crosses the promotion: ${how}`, () => {
    const { world, a, b } = inside();
    const room = [...world.state.rooms.values()][0];
    const take = world.room.take.bind(world.room);
    world.room.take = (from, stanza, now) =>
      stanza.root.child('query', NS.mucAdmin) === undefined ? take(from, stanza, now) : [];
    if (isTold) own(world, a, 'moderator');
    world.drop(a);
    while (!room?.move?.self) world.arrive(true);
    if (isShown) own(world, b, 'moderator');
    world.settle();
    const { carrier } = world.client(b);
    assert.is(room.carrier, carrier);
    const all = world.sent.filter(({ stanza }) => stanza.root.child('query', NS.mucAdmin) !== undefined);
    assert.is(all.length, questions * 3);
    assert.is(all.filter((one) => one.carrier === carrier).length, isShown ? 3 : 0);
    if (isShown) list(world, b, asked(world).get('moderator'), "<item nick='bob' jid='bob@test/x' role='moderator'/>");
    else assert.is(room.lists, undefined);
    assert.equal(shown(world).sort(), [`bob ${isShown ? 'bob@test/x' : 'undefined'}`, 'carol undefined']);
  });
}

test('one list question at a time: who is made a moderator again before it is answered asks nothing', () => {
  const { world, a } = inside();
  own(world, a, 'moderator');
  const count = world.sent.length;
  for (const role of ['participant', 'moderator', 'participant', 'moderator']) own(world, a, role);
  assert.is(world.sent.length, count);
});

test('what an occupant says is no list, and a room that shows addresses is not asked', () => {
  const { world, a } = inside();
  own(world, a, 'moderator');
  const items = "<item nick='bob' jid='eve@test/x' role='moderator'/>";
  list(world, a, asked(world).get('moderator'), items, `${ROOM}/bob`);
  assert.equal(shown(world).sort(), ['bob undefined', 'carol undefined']);
  const open = inside();
  for (const nick of ['bob', 'carol']) {
    const item = `<item affiliation='owner' role='moderator' jid='${nick}@test/x'/>`;
    open.world.arrives(
      open.world.client(open.a).carrier,
      `<presence from='${ROOM}/${nick}' to='x'><x xmlns='${NS.mucUser}'>${item}</x></presence>`,
    );
  }
  own(open.world, open.a, 'moderator');
  assert.is(asked(open.world).size, 0);
});

test.run();
