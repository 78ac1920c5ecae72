/** Streams that have left a room which does not say so (rules/overdue.ts): what they are kept for, and what they are not. */
import type { CarrierId, SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('a room that owes the end of a stay');

/** The room is to be handed over from a stream to this one, and answers it nothing. */
function silentTo(target: 'a client' | 'the account') {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()] as [SessionId, SessionId];
  for (const id of [a, b]) world.join(id);
  world.settle();
  const take = world.room.take.bind(world.room);
  const inside = [...world.room.inside.keys()];
  world.room.take = (from, stanza, now) => (inside.includes(from) ? take(from, stanza, now) : []);
  if (target === 'a client') world.drop(a);
  else {
    world.input({ kind: 'credentials', known: true });
    world.accountStream(true);
  }
  const moving = (): CarrierId | undefined => [...world.state.rooms.values()][0]?.move?.carrier;
  const carrier = moving() as CarrierId;
  assert.ok(carrier !== undefined);
  while (moving() === carrier) {
    world.settle();
    world.fire();
  }
  return { world, a, b, carrier, own: () => world.state.carriers.get(carrier) };
}

function runsOut(world: World, carrier: CarrierId): void {
  const key = `depart ${carrier} ${ROOM}`;
  world.now = Math.max(world.now, world.timers.get(key) ?? Number.NaN);
  assert.ok(world.timers.delete(key));
  world.input({ kind: 'timer', key });
}

/** An occupant’s presence comes on the stream. */
function shows(world: World, carrier: CarrierId): void {
  const item = "<item affiliation='none' role='participant'/>";
  world.arrives(carrier, `<presence from='${ROOM}/bob' to='x'><x xmlns='${NS.mucUser}'>${item}</x></presence>`);
}

test('its stay is kept from a stream’s client, for five minutes', () => {
  const { world, b, carrier, own } = silentTo('a client');
  assert.is(carrier, world.client(b).carrier);
  runsOut(world, carrier);
  assert.equal([own()?.rooms.size, own()?.overdue?.size], [1, 1]);
  const start = world.client(b).told.length;
  shows(world, carrier);
  assert.equal(world.client(b).told.slice(start), []);
  world.input({ kind: 'timer', key: `overdue ${carrier} ${ROOM}` });
  assert.equal([own()?.rooms.size, own()?.overdue?.size], [0, 0]);
});

test('a stream whose node is about to stop waits for none of it, whether told before or after its time is out', () => {
  for (const isBefore of [true, false]) {
    const { world, carrier, own } = silentTo('a client');
    if (!isBefore) runsOut(world, carrier);
    world.input({ kind: 'carriers-leave', carriers: [carrier], mayOpen: false });
    if (isBefore) runsOut(world, carrier);
    assert.equal([own()?.rooms.size ?? 0, own()?.overdue?.size ?? 0], [0, 0]);
    assert.is(world.timers.has(`overdue ${carrier} ${ROOM}`), false);
  }
});

/** A service that takes ids away from presences. */
function withoutIds(): { world: World; a: SessionId } {
  const world = new World({ settings: { graceMs: 0 } });
  const a = world.bind();
  world.join(a);
  world.settle();
  const take = world.room.take.bind(world.room);
  const bare = (xml: string): string => (xml.startsWith('<presence') ? xml.replace(/ id='[^']*'/, '') : xml);
  world.room.take = (from, stanza, now) => take(from, stanza, now).map(({ to, xml }) => ({ to, xml: bare(xml) }));
  return { world, a };
}

test('history and subject are told to who joins behind it, of a service that takes ids away too', () => {
  for (const isOverdue of [false, true]) {
    const { world, a } = withoutIds();
    world.changeSubject();
    const body = world.roomSays();
    world.settle();
    world.leave(a);
    world.join(a, 'alice', "<history maxstanzas='20'/>");
    if (isOverdue) world.fire();
    world.settle();
    assert.is(world.client(a).place, 'in');
    assert.equal(
      [world.client(a).heard, world.client(a).subject],
      [[body], world.room.subject],
      `overdue ${isOverdue}`,
    );
  }
});

test('and nothing that was said in the stay that has ended before', () => {
  const { world, a } = withoutIds();
  const { carrier, jid } = world.client(a);
  world.leave(a);
  world.join(a, 'alice', "<history maxstanzas='20'/>");
  world.fire();
  const user = `<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant'/><status code='110'/></x>`;
  world.arrives(carrier, `<presence from='${ROOM}/alice' to='${jid}'>${user}</presence>`);
  const before = `<message type='groupchat' from='${ROOM}/bob' to='${jid}'>`;
  world.arrives(carrier, `${before}<body>before</body></message>`);
  world.arrives(carrier, `${before}<composing xmlns='${NS.chatStates}'/></message>`);
  world.settle();
  assert.is(world.client(a).place, 'in');
  assert.equal(world.client(a).heard, []);
});

test('an account stream waits for it too: it may join again, and is to know whose answer comes', () => {
  const { world, carrier, own } = silentTo('the account');
  runsOut(world, carrier);
  assert.equal([own()?.kind, own()?.rooms.size, own()?.overdue?.size], ['account-stream', 1, 1]);
});

test('what is said in private to an account stream whose leave is not confirmed is for the account’s sessions, now or when one is available', () => {
  for (const isAway of [false, true]) {
    const world = new World({ settings: { graceMs: 0 } });
    const a = world.bind();
    world.input({ kind: 'credentials', known: true });
    world.join(a);
    world.accountStream(true);
    world.settle();
    const own = [...world.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
    assert.ok(own);
    Object.assign(own, { languages: { own: undefined, server: 'de' } });
    const { id } = own;
    world.leave(a);
    while (!own.overdue?.has(ROOM as BareKey)) assert.ok(world.fire());
    assert.is(world.state.rooms.get(ROOM as BareKey)?.phase, 'ended');
    const presence = { kind: 'session-presence', session: a, show: '', priority: 0 } as const;
    if (isAway) world.input({ ...presence, available: false });
    const from = `from='${ROOM}/bob' to='${own.jid}'`;
    world.arrives(id, `<message type='chat' ${from} id='p1'><body>p1</body></message>`);
    world.arrives(id, `<message type='chat' ${from}><composing xmlns='${NS.chatStates}'/></message>`);
    if (isAway) world.input({ ...presence, available: true });
    assert.equal(world.client(a).whispered, ['p1'], `away: ${isAway}`);
    assert.is(world.client(a).told.at(-1)?.root.attr('xml:lang'), 'de');
  }
});

test('so is what comes in private to one that the room has taken in again behind a kick, as it is taken back', () => {
  const world = new World();
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.settle();
  const own = [...world.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
  assert.ok(own);
  world.kick();
  world.settle();
  const x = `<x xmlns='${NS.mucUser}'><item role='participant'/><status code='110'/></x>`;
  world.arrives(own.id, `<presence from='${ROOM}/alice' to='${own.jid}'>${x}</presence>`);
  assert.is(world.sent.at(-1)?.stanza.type, 'unavailable');
  world.arrives(own.id, `<message type='chat' from='${ROOM}/bob' to='${own.jid}' id='p1'><body>p1</body></message>`);
  assert.equal(world.client(a).whispered, ['p1']);
});

test.run();
