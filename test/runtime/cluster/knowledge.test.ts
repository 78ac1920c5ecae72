/** What a node's sessions are, on its way to a home (runtime/cluster/knowledge.ts). */
import { Services } from '../../../proxy/core/services.ts';
import { type CarrierId, createAccountState, type SessionId } from '../../../proxy/core/state.ts';
import { readKnowledge, writeArrival, writeKnowledge } from '../../../proxy/runtime/cluster/knowledge.ts';
import { Mirror } from '../../../proxy/runtime/cluster/mirror.ts';
import type { Ports } from '../../../proxy/runtime/ports.ts';
import type { BareKey } from '../../../proxy/xml/address.ts';
import { parseStanza } from '../../../proxy/xml/stanza.ts';
import { BARE, settings } from '../../core/world.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('what a node tells a home of its sessions');

const [id, stream] = ['s' as SessionId, 'c' as CarrierId];
const [inside, left] = ['inside@muc.test', 'left@muc.test'] as [BareKey, BareKey];

test('a session and its stream that were at home here are to the next home what they were', () => {
  const services = new Services();
  const state = createAccountState(BARE, 'prefix-', settings, services);
  const mirror = new Mirror(BARE, settings, services, () => 0);
  const { session, carrier } = mirror.addSession({ id, jid: `${BARE}/r`, asked: 'r' }, stream, undefined);
  state.sessions.set(id, session);
  state.carriers.set(stream, carrier);
  session.hides = new Set([inside]);
  session.unsaid = new Set([left]);
  session.cursors.set(left, { key: 'k', at: 1 });
  for (const key of [inside, left]) carrier.rooms.add(key);
  // A room that it has left, and that has not said so.
  carrier.overdue = new Set([left]);
  carrier.farewell = parseStanza("<presence type='unavailable'><status>bye</status></presence>");
  mirror.adopt(state, { sessions: new Map([[id, {}]]), carriers: new Map([[stream, {}]]) } as unknown as Ports);
  for (const bytes of [writeKnowledge(mirror, false, 0), writeArrival(session, carrier, [], false)]) {
    const { sessions, carriers } = readKnowledge(bytes).arrival;
    const [here, own] = [sessions[0], carriers[0]];
    assert.equal([sessions.length, carriers.length], [1, 1]);
    assert.equal([here?.hides, here?.unsaid, here?.cursors], [session.hides, session.unsaid, session.cursors]);
    assert.equal([[...(own?.rooms ?? [])], own?.overdue, own?.session], [[inside], undefined, id]);
    assert.is(own?.farewell?.root.child('status')?.text(), 'bye');
  }
});

test.run();
