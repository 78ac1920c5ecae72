/** What another node has been told of an account: changes, each of them once, and what it has taken for granted is put right. */
import { Services } from '../../../proxy/core/services.ts';
import { type CarrierId, createAccountState, type SessionId } from '../../../proxy/core/state.ts';
import { Mirror } from '../../../proxy/runtime/cluster/mirror.ts';
import { ViewSent } from '../../../proxy/runtime/cluster/view-sent.ts';
import type { BareKey } from '../../../proxy/xml/address.ts';
import { BARE, settings } from '../../core/world.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('what a node sees of an account at home elsewhere');

const session = 's' as SessionId;
const carrier = 'c' as CarrierId;
const [one, other] = ['one@muc.test', 'other@muc.test'] as [BareKey, BareKey];

function stage() {
  const services = new Services();
  const state = createAccountState(BARE, 'prefix-', settings, services);
  // Another node has not learned what the home has.
  const mirror = new Mirror(BARE, settings, new Services(), () => 0);
  const source = { id: session, jid: `${BARE}/r`, asked: 'r' };
  const own = mirror.addSession(source, carrier, undefined);
  // The home has sets of its own.
  const home = new Mirror(BARE, settings, services, () => 0).addSession(source, carrier, undefined);
  state.sessions.set(session, home.session);
  state.carriers.set(carrier, home.carrier);
  const sent = new ViewSent();
  const tell = (isPresumed = false): boolean => {
    const view = sent.changes(state, [session], 0);
    if (view) mirror.apply(JSON.parse(JSON.stringify(view)), () => isPresumed);
    return view !== undefined;
  };
  return { state, mirror, own, home, sent, tell };
}

test('what is told once is not told again', () => {
  const { tell, home, own } = stage();
  assert.is(tell(), true);
  assert.is(tell(), false);
  home.session.rooms.add(one);
  home.carrier.rooms.add(one);
  home.carrier.rooms.add(other);
  assert.is(tell(), true);
  assert.equal([[...own.session.rooms], [...own.carrier.rooms]], [[one], [one, other]]);
  assert.is(tell(), false);
  home.carrier.rooms.delete(one);
  tell();
  assert.equal([[...own.session.rooms], [...own.carrier.rooms]], [[one], [other]]);
});

test('what has turned out to be a MUC service is told, and nothing else that a stream has tried to join', () => {
  const { state, tell, home, mirror } = stage();
  home.carrier.rooms.add(one);
  home.carrier.rooms.add('friend@example.org' as BareKey);
  tell();
  assert.is(mirror.services.isMuc('muc.test'), false);
  state.services.learn('muc.test');
  state.services.learn('of.others');
  assert.is(tell(), true);
  assert.is(tell(), false);
  assert.equal(
    ['muc.test', 'example.org', 'of.others'].map((domain) => mirror.services.isMuc(domain)),
    [true, false, false],
  );
});

test('a join that came to nothing is taken back', () => {
  const { tell, own, sent } = stage();
  tell();
  own.session.rooms.add(one);
  sent.presume(session, one);
  tell();
  assert.equal([...own.session.rooms], []);
});

test('a join that is still on its way is not undone by what was true before', () => {
  const { tell, own, home } = stage();
  home.session.rooms.add(one);
  tell();
  home.session.rooms.delete(one);
  tell(true);
  assert.equal([...own.session.rooms], [one]);
});

test('ids are known as soon as there are any, by their start', () => {
  const { tell, mirror, state } = stage();
  tell();
  assert.is(mirror.requests.has('prefix-1'), false);
  state.nextId = 1;
  tell();
  assert.is(mirror.requests.has('prefix-1'), true);
  assert.is(mirror.requests.has('another'), false);
});

test('streams come and go; those that are here are not given up', () => {
  const { tell, mirror, state, home } = stage();
  const far = { ...home.carrier, id: 'far' as CarrierId, jid: `${BARE}/far` };
  state.carriers.set(far.id, far);
  tell();
  assert.equal([...mirror.carriers.keys()], [carrier, far.id]);
  state.carriers.clear();
  tell();
  assert.equal([...mirror.carriers.keys()], [carrier]);
});

test.run();
