/** A room that has forgotten the account, and takes a presence of it for a join as services do that know groupchat 1.0 (L5). */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('rooms that take a presence for a join');

/** Two sessions in the room with bob and carol, for long; what they were told is forgotten. */
function inside(showsOnce: boolean): { world: World; a: SessionId; b: SessionId } {
  const world = new World({ room: { knowsOld: true, showsOnce } });
  world.room.others.add('carol');
  const [a, b] = [world.bind(), world.bind()];
  for (const one of [a, b]) world.join(one);
  world.settle();
  // The room is shown the other one.
  world.send(b, `<presence to='${ROOM}/alice'><show>xa</show></presence>`);
  world.settle();
  world.now += 60_000;
  forgetTold(world, a, b);
  return { world, a, b };
}

function forgetTold(world: World, ...ids: SessionId[]): void {
  for (const id of ids) world.client(id).told.length = 0;
}

/** The presences of others that the session was told, and of its own occupant where a code says more than that it is its own. */
function shown(world: World, id: SessionId): string[] {
  return world
    .client(id)
    .told.filter(({ name }) => name === 'presence')
    .map(({ from = '', type = '', root }) => {
      const codes = root.child('x', NS.mucUser)?.children.map((one) => one.attr('code') ?? '') ?? [];
      return [from.slice(ROOM.length + 1), type, ...codes].filter(Boolean).join(' ');
    });
}

const others = (world: World, id: SessionId): string[] => shown(world, id).filter((one) => !one.endsWith('110'));

test('a service that shows the others once: those whom it has shown before and behind the first who was known are there', () => {
  for (const showsOnce of [true, false]) {
    const { world, a, b } = inside(showsOnce);
    world.room.forget();
    world.room.others.clear();
    // In this order: somebody new, who was known, who has gone, who was known.
    for (const nick of ['dave', 'bob', 'erin']) world.room.others.add(nick);
    world.send(a, `<presence to='${ROOM}/alice'><show>away</show></presence>`);
    world.settle();
    for (const id of [a, b]) {
      assert.equal(others(world, id).sort(), ['carol unavailable', 'dave', 'erin'], `${showsOnce}`);
      assert.is(world.client(id).place, 'in');
    }
    const c = world.bind();
    world.join(c);
    world.settle();
    assert.equal(others(world, c).sort(), ['bob', 'dave', 'erin']);
  }
});

test('a nick change that is taken for a join is a nick change to all, and shows who has gone and come', () => {
  for (const showsOnce of [true, false]) {
    const { world, a, b } = inside(showsOnce);
    world.room.forget();
    world.room.others.delete('carol');
    world.room.others.add('dave');
    world.send(a, `<presence id='n1' to='${ROOM}/ali'/>`);
    world.settle();
    for (const id of [a, b]) {
      const all = shown(world, id);
      assert.equal(others(world, id).sort(), ['carol unavailable', 'dave'], `${showsOnce}`);
      const own = all.filter((one) => one.endsWith('110'));
      assert.equal([own[0], ...new Set(own.slice(1))], ['alice unavailable 303 110', 'ali 110']);
      assert.is(world.client(id).place, 'in');
    }
    assert.ok(
      world.client(a).told.some(({ id, type }) => id === 'n1' && type === undefined),
      'the asker is answered',
    );
    const c = world.bind();
    world.join(c, 'ali');
    world.settle();
    assert.equal(others(world, c).sort(), ['bob', 'dave']);
    assert.is(world.room.inside.size, 1);
    world.speak(b);
    world.settle();
    assert.is(world.client(b).spoken.size, 0);
  }
});

test('a join under another nick that is taken for a nick change is answered as a join, and its nick is no wish any more', () => {
  const { world, a, b } = inside(false);
  world.room.forget();
  world.joinAs(b, 'ali');
  world.settle();
  assert.is(world.client(b).place, 'in');
  assert.ok(world.client(b).told.some(({ id, root }) => id?.startsWith('k') && root.child('x', NS.mucUser)));
  assert.is(world.client(a).place, 'in');
  const before = world.sent.length;
  world.joinAs(b, 'ali');
  world.settle();
  assert.is(world.sent.length, before, 'answered here');
});

test('joins of two sessions under the same other nick are both answered', () => {
  const { world, a, b } = inside(false);
  world.room.forget();
  for (const id of [a, b]) world.joinAs(id, 'ali');
  world.settle();
  const asked = world.sent.map(({ stanza }) => stanza.id).filter((id) => id?.startsWith('k'));
  for (const [index, id] of [a, b].entries())
    assert.ok(
      world.client(id).told.some((one) => one.id === asked[index]),
      id,
    );
});

test('who has changed the nick so may ask for the old one again by a join', () => {
  const { world, a } = inside(false);
  world.room.forget();
  world.rename(a, 'ali');
  world.settle();
  world.joinAs(a, 'alice');
  world.settle();
  assert.is(shown(world, a).at(-1), 'alice 110');
});

/** The account's own presence, as the room shows it; `to`: the nick is given up for that one. */
function own(nick: string, to?: string): string {
  const [type, item, code] =
    to === undefined ? ['', '', ''] : [" type='unavailable'", ` nick='${to}'`, "<status code='303'/>"];
  const x = `<item affiliation='none' role='participant'${item}/>${code}<status code='110'/>`;
  return `<presence from='${ROOM}/${nick}' to='x'${type}><x xmlns='${NS.mucUser}'>${x}</x></presence>`;
}

const occupant = (nick: string, id: string): string =>
  `<presence id='${id}' from='${ROOM}/${nick}' to='x'><x xmlns='${NS.mucUser}'><item affiliation='owner' role='moderator'/></x></presence>`;

test('an occupant who says the same again while a nick change is on its way is passed on when that is answered', () => {
  const refused = `<presence type='error' id='n1' from='${ROOM}/ali' to='x'><error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error></presence>`;
  for (const answer of [[own('alice', 'ali'), own('ali')], [refused]]) {
    const { world, a, b } = inside(false);
    const { carrier } = world.client(a);
    world.arrives(carrier, occupant('dora', 'p1'));
    forgetTold(world, a, b);
    world.send(a, `<presence id='n1' to='${ROOM}/ali'/>`);
    // It does not reach the room before.
    world.arrives(carrier, occupant('dora', 'p1'));
    assert.equal(shown(world, b), []);
    for (const xml of answer) world.arrives(carrier, xml);
    assert.equal(others(world, b), ['dora']);
    assert.is(world.sent.filter(({ stanza }) => stanza.root.child('x', NS.muc)).length, 1, 'no join');
  }
});

test('one that says something else meanwhile is passed on at once, and what it repeated before is not told behind it', () => {
  const { world, a, b } = inside(false);
  const { carrier } = world.client(a);
  world.arrives(carrier, occupant('dora', 'p1'));
  forgetTold(world, a, b);
  world.send(a, `<presence id='n1' to='${ROOM}/ali'/>`);
  world.arrives(carrier, occupant('dora', 'p1'));
  world.arrives(carrier, occupant('dora', 'p2').replace('<x ', '<show>dnd</show><x '));
  assert.is(world.client(b).told.at(-1)?.root.child('show')?.text(), 'dnd');
  world.settle();
  assert.equal(
    others(world, b).filter((one) => one.startsWith('dora')),
    ['dora'],
  );
});

test('one that has gone meanwhile is not told to be there when the nick change is answered', () => {
  const { world, a, b } = inside(false);
  const { carrier } = world.client(a);
  world.arrives(carrier, occupant('dora', 'p1'));
  forgetTold(world, a, b);
  world.send(a, `<presence id='n1' to='${ROOM}/ali'/>`);
  world.arrives(carrier, occupant('dora', 'p1'));
  // Two nicks are on their way, so that no presence tells of a join any more.
  world.send(a, `<presence id='n2' to='${ROOM}/alice'/>`);
  world.arrives(carrier, occupant('dora', 'p2').replace('<presence ', `<presence type='unavailable' `));
  world.settle();
  assert.equal(
    others(world, b).filter((one) => one.startsWith('dora')),
    ['dora unavailable'],
  );
});

test('a room that shows itself to who comes in, and where nobody is left whom the account knows: it is joined in full', () => {
  const itself = `<presence from='${ROOM}' to='x'><c xmlns='http://jabber.org/protocol/caps' ver='1'/></presence>`;
  for (const nick of ['alice', 'ali']) {
    const { world, a, b } = inside(false);
    const { carrier } = world.client(a);
    world.arrives(carrier, itself);
    forgetTold(world, a, b);
    world.room.others.clear();
    world.room.forget();
    world.send(a, `<presence id='n1' to='${ROOM}/${nick}'><show>away</show></presence>`);
    world.arrives(carrier, itself);
    world.arrives(carrier, own(nick));
    world.settle();
    assert.equal(others(world, b).sort(), ['bob unavailable', 'carol unavailable'], nick);
    assert.is(world.client(b).place, 'in');
  }
});

test('while a nick change is on its way the room is not shown what would take it back', () => {
  const { world, a } = inside(false);
  world.send(a, `<presence id='n1' to='${ROOM}/ali'/>`);
  // What the other session shows is to be shown now.
  world.leave(a);
  const shows = (): unknown[] =>
    world.sent.filter(({ stanza }) => stanza.root.child('show')?.text() === 'xa').map(({ stanza }) => stanza.to);
  assert.equal(shows(), []);
  world.settle();
  while (shows().length === 0 && world.fire()) world.settle();
  assert.equal(shows(), [`${ROOM}/ali`]);
});

test.run();
