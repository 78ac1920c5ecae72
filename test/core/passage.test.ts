/** What of a room goes with a session that is carried on elsewhere (passage.ts), and what begins anew there. */
import { Overlap } from '../../proxy/core/overlap.ts';
import { passageOf, renamed, unfinishedOf } from '../../proxy/core/passage.ts';
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('a session that is carried on elsewhere');

const SELF_PING_MS = 60_000;

/** A session in the room, whose stream has gone with it to another home after `happens`. */
function comesOver(happens: (world: World, id: SessionId) => void): World {
  const before = new World({ settings: { selfPingMs: SELF_PING_MS } });
  const id = before.bind();
  before.join(id);
  before.settle();
  happens(before, id);
  const found = passageOf(before.state, id, unfinishedOf(before.state, id));
  if (!found) throw new Error('no passage');
  const after = new World({ settings: { selfPingMs: SELF_PING_MS }, prefix: 'n-' });
  after.now = before.now;
  const { session, carrier, rooms: watched } = renamed(found, 's9' as SessionId, 'c9' as CarrierId);
  after.input({ kind: 'arrive', arrival: { sessions: [session], carriers: [carrier], watched, known: [] } });
  after.input({ kind: 'session-awakes', session: session.id });
  return after;
}

const pings = ({ sent }: World): number => sent.filter(({ stanza }) => stanza.root.child('ping', NS.ping)).length;

const asks = (id: string): string => `<iq type='get' id='${id}' to='${ROOM}/alice'><ping xmlns='${NS.ping}'/></iq>`;

test('a ping that was on its way is nobody’s there: the room is asked anew, by its devices and of itself', () => {
  const under = comesOver((world, id) => {
    world.now += 20_000;
    world.send(id, asks('one'));
    assert.is(pings(world), 1);
  });
  under.now += 20_000;
  under.send('s9' as SessionId, asks('two'));
  assert.is(pings(under), 1);
  const unsure = comesOver((world, id) => {
    world.now += 20_000;
    world.send(id, asks('one'));
    // It has not been answered.
    world.input({ kind: 'timer', key: `ping ${ROOM}` });
    assert.ok([...world.state.rooms.values()][0]?.unsure);
  });
  for (let turns = 0; turns < 10 && pings(unsure) === 0; turns += 1) unsure.fire();
  assert.is(pings(unsure), 1);
});

test('what its stream was kept for at the last home does not keep it here', () => {
  const world = comesOver(({ state }, id) => {
    const carrier = state.carriers.get(state.sessions.get(id)?.carrier as CarrierId);
    if (carrier) carrier.overdue = new Set(state.rooms.keys());
  });
  assert.is(world.state.carriers.get('c9' as CarrierId)?.overdue, undefined);
});

test('a hand-over that is over is so here', () => {
  const overlap = new Overlap();
  overlap.isOver = true;
  assert.is(overlap.renamed('c1' as CarrierId, 'c9' as CarrierId).isOver, true);
});

test.run();
