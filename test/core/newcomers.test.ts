/** Sessions that come to a home with what they have seen, while a room is just being handed over. */
import { knownRoom } from '../../proxy/core/arrival.ts';
import { presentationOf } from '../../proxy/core/rules/join.ts';
import { Services } from '../../proxy/core/services.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { factsOf, watchedRoom } from '../../proxy/core/watch.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, settings, World } from './world.ts';

const test = suite('sessions that come with what they have seen');

/** A room that is on its way from a session's stream to an account stream. */
function moving(isShared: boolean): World {
  const world = new World({ isShared });
  const first = world.bind();
  world.join(first);
  world.settle();
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  assert.ok(roomOf(world).move);
  return world;
}

function roomOf({ state }: World) {
  const [room] = state.rooms.values();
  if (!room) throw new Error('no room');
  return room;
}

/** A session of another node, which was in the room with a home that is lost. */
function newcomer(world: World, lost = world): SessionId {
  const id = world.bind();
  const session = world.state.sessions.get(id);
  const carrier = session && world.state.carriers.get(session.carrier);
  if (!session || !carrier) throw new Error('no session');
  const facts = factsOf(roomOf(lost), new Services().facts(''));
  const watched = watchedRoom(facts, settings);
  const presentation = presentationOf(parseStanza(`<presence to='${ROOM}/alice'/>`), world.now);
  watched.members.set(id, { asked: 'alice', presentation, lag: undefined });
  const known = knownRoom(watched, facts, new Set(), undefined, world.now);
  world.client(id).place = 'in';
  world.input({ kind: 'arrive', arrival: { sessions: [session], carriers: [carrier], watched: [], known: [known] } });
  return id;
}

for (const how of ['refused', 'lost with the new stream', 'carried out'] as const) {
  test(`who comes during a hand-over that is ${how} hears the room and is heard`, () => {
    const world = moving(how !== 'refused');
    const late = newcomer(world);
    const said = [world.roomSays()];
    world.speak(late);
    if (how === 'lost with the new stream') world.loseAccountStream();
    world.settle();
    said.push(world.roomSays());
    world.settle();
    const { heard, spoken } = world.client(late);
    assert.is(spoken.size, 0);
    assert.equal(
      heard.filter((body) => /^\d/.test(body)),
      said,
    );
    assert.is(heard.length, 3);
  });
}

test('who joins while the account comes back for those who were with a lost home waits, and is given the room in full', () => {
  for (const keepsLogs of [false, true]) {
    for (const isRefusedOnce of [false, true]) {
      const lost = new World();
      lost.join(lost.bind());
      lost.settle();
      const world = new World({ settings: { keepsLogs } });
      if (isRefusedOnce) world.room.refusal = 'resource-constraint';
      newcomer(world, lost);
      const late = world.bind();
      world.join(late);
      assert.equal(world.client(late).told, []);
      if (isRefusedOnce) {
        while (!world.state.rooms.get(ROOM as BareKey)?.move) assert.ok(world.fire());
        world.settle();
        assert.is(world.client(late).place, 'asking');
        world.room.refusal = undefined;
      }
      const isBack = (): boolean => roomOf(world).carrier !== undefined;
      for (let round = 0; round < 9 && !isBack(); round += 1) {
        if (!roomOf(world).move) world.fire();
        world.settle();
      }
      const what = `${keepsLogs} ${isRefusedOnce}`;
      assert.is(world.client(late).place, 'in', what);
      const told = world.client(late).told.map(({ name, from }) => `${name} ${from}`);
      assert.equal(told.slice(0, 3), [`presence ${ROOM}/bob`, `presence ${ROOM}/alice`, `message ${ROOM}`], what);
    }
  }
});

test.run();
