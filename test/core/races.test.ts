/** What crosses on the way: each promise here was broken once, or nearly. */
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what crosses on the way');

const self = (to: string, nick = 'alice', more = '', codes = ''): string =>
  `<presence from='${ROOM}/${nick}' to='${to}'${more}><x xmlns='${NS.mucUser}'><item affiliation='none' role='participant' jid='${to}'/>` +
  `<status code='110'/>${codes}</x></presence>`;

/** So many sessions are in the room, the first one carries it. */
function joined(count: number, world = new World()): World {
  for (let index = 0; index < count; index += 1) world.join(world.bind());
  world.settle();
  return world;
}

function ids(world: World): [ReturnType<World['bind']>, ReturnType<World['bind']>, ReturnType<World['bind']>] {
  const [a, b, c] = [...world.sessions.keys()];
  return [a, b ?? a, c ?? a] as never;
}

function roomOf(world: World) {
  const room = [...world.state.rooms.values()][0];
  if (!room) throw new Error('no room');
  return room;
}

test('messages without an id are not remembered for ever, and an error finds the one that is not answered', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  for (let count = 0; count < 1000; count += 1) {
    world.send(a, `<message type='groupchat' to='${ROOM}'><body>x</body></message>`);
    world.settle();
  }
  assert.is(roomOf(world).sent.length, 0);
  for (let count = 0; count < 1000; count += 1)
    world.send(b, `<message type='chat' to='${ROOM}/bob'><body>x</body></message>`);
  assert.ok(roomOf(world).sent.length <= 256);
});

test.run();
