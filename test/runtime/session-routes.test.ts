/** Where stanzas of a session go, before its account's home knows as much as the session does. */
import { routeUp } from '../../proxy/runtime/session-routes.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { ROOM, World } from '../core/world.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('routes');

test('what follows a join goes the way of the join, also where the home is paused and knows of no room yet', () => {
  const world = new World();
  const id = world.bind();
  const session = world.state.sessions.get(id);
  const carrier = session && world.state.carriers.get(session.carrier);
  if (!session || !carrier) throw new Error('the session was not bound');
  const view = { seat: { account: world.state, session, carrier }, exclude: [], idPrefixes: [] };
  const request = parseStanza(`<iq type='get' id='1' to='${ROOM}'><query xmlns='x'/></iq>`);
  assert.is(routeUp(request, view), 'relay');
  session.rooms.add(ROOM as BareKey);
  assert.is(world.state.rooms.size, 0);
  assert.is(routeUp(request, view), 'account');
  assert.is(routeUp(parseStanza(`<message to='bob@test'><body/></message>`), view), 'relay');
});

test.run();
