/** Nick changes (L7) that a service answers in its own way, or never. */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('nick changes');

/** Two sessions in a room, carried by the first one's stream, and what makes it answer no presence. */
function inside(): { world: World; a: SessionId; b: SessionId; silence(isSilent: boolean): void } {
  const world = new World({ settings: { presencePauseMs: 0 } });
  const [a, b] = [world.bind(), world.bind()];
  for (const id of [a, b]) world.join(id);
  world.settle();
  for (const id of [a, b]) world.client(id).told.length = 0;
  const take = world.room.take.bind(world.room);
  let isSilent = false;
  world.room.take = (from, stanza, now) => (isSilent && stanza.name === 'presence' ? [] : take(from, stanza, now));
  const silence = (value: boolean): void => {
    isSilent = value;
  };
  return { world, a, b, silence };
}

/** The room shows the account's own presence. */
function shows(world: World, nick: string, codes: readonly string[], attributes = '', to?: string): void {
  const [carrier] = [...world.state.carriers.values()].filter(({ rooms }) => rooms.size > 0);
  const status = ['110', ...codes].map((code) => `<status code='${code}'/>`).join('');
  const item = `<item affiliation='none' role='participant'${to === undefined ? '' : ` nick='${to}'`}/>`;
  const x = `<x xmlns='${NS.mucUser}'>${item}${status}</x>`;
  world.arrives(
    carrier?.id as never,
    `<presence from='${ROOM}/${nick}' to='${carrier?.jid}'${attributes}>${x}</presence>`,
  );
}

const room = (world: World) => [...world.state.rooms.values()][0];

for (const says of ['210', 'the id'] as const) {
  test(`a service that gives another nick than was asked for, and says so by ${says}, has answered`, () => {
    const { world, a, b, silence } = inside();
    silence(true);
    world.send(a, `<presence id='p' to='${ROOM}/Lissy'/>`);
    world.settle();
    shows(world, 'alice', ['303'], " type='unavailable'", 'lissy-2');
    shows(world, 'lissy-2', says === '210' ? ['210'] : [], says === '210' ? '' : " id='p'");
    assert.equal([room(world)?.nick, room(world)?.presences.length], ['lissy-2', 0]);
    for (const id of [a, b])
      assert.equal(
        world.client(id).told.map(({ from }) => from),
        [`${ROOM}/alice`, `${ROOM}/lissy-2`],
      );
    // Nor is it asked for again through the next stream.
    silence(false);
    world.lose(a);
    world.settle();
    assert.is(world.client(b).place, 'in');
    assert.is(world.sent.filter(({ stanza }) => stanza.to?.endsWith('/Lissy')).length, 1);
  });
}

test('a join that the service answers with another nick than it asks for is answered in full', () => {
  const { world, a, b, silence } = inside();
  silence(true);
  world.joinAs(a, 'Lissy');
  world.settle();
  shows(world, 'alice', ['303'], " type='unavailable'", 'lissy-2');
  shows(world, 'lissy-2', ['210']);
  assert.is(world.client(a).place, 'in');
  assert.ok(world.client(a).told.some(({ root }) => root.child('subject') !== undefined));
  assert.not.ok(world.client(b).told.some(({ root }) => root.child('subject') !== undefined));
});

test('while another nick change is on its way, one that the account has not asked for answers nothing', () => {
  const { world, a, silence } = inside();
  silence(true);
  world.rename(a, 'lissy');
  world.settle();
  shows(world, 'alice', ['303'], " type='unavailable'", 'other');
  shows(world, 'other', []);
  assert.equal(
    room(world)?.presences.map(({ nick }) => nick),
    ['lissy'],
  );
});

test('what the room repeats of the account before it answers a nick change is no answer', () => {
  const { world, a, silence } = inside();
  silence(true);
  world.send(a, `<presence id='p' to='${ROOM}/lissy'/>`);
  world.settle();
  shows(world, 'alice', ['210'], " id='p'");
  assert.equal(
    room(world)?.presences.map(({ nick }) => nick),
    ['lissy'],
  );
});

test('a nick change that is never answered keeps the room from being shown a status for a minute, no longer', () => {
  const { world, a, b, silence } = inside();
  world.send(a, `<presence to='${ROOM}/alice'><show>chat</show></presence>`);
  world.settle();
  silence(true);
  world.rename(b, 'lissy');
  // The other one is the most active now, and its presence is to be shown.
  world.send(a, `<presence to='${ROOM}/alice'><show>away</show></presence>`);
  const from = world.sent.length;
  const began = world.now;
  while (world.sent.length === from && world.now < began + 300_000 && world.fire() !== undefined) world.settle();
  assert.equal(
    world.sent.slice(from).map(({ stanza }) => stanza.to),
    [`${ROOM}/alice`],
  );
  assert.ok(world.now >= began + 59_000 && world.now < began + 62_000, `${world.now - began} ms`);
});

test.run();
