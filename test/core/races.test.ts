/** What crosses on the way: each promise here was broken once, or nearly. */
import fc from 'fast-check';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, OTHER, ROOM, World } from './world.ts';

const test = suite('what crosses on the way');

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

test('an account that goes in the middle of a hand-over is seen to go once, whichever stream is heard first', () => {
  for (const isRefused of [false, true]) {
    for (const isLost of [false, true]) {
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat(3)), (order) => {
          const world = joined(2, new World({ settings: { lingerMs: 0 } }));
          const [a, b] = ids(world);
          world.drop(a);
          if (isRefused) world.room.refusal = 'conflict';
          if (isLost) world.lose(b);
          else world.drop(b);
          while (world.arrive(true, order.next().value));
          assert.is(world.room.witnessed, '+-');
          assert.ok(world.isIdle, 'nothing is waited for');
        }),
        { numRuns: 30 },
      );
    }
  }
});

test('a kick in the middle of a hand-over is a kick: the join that was on its way is taken back', () => {
  for (const isNewFirst of [true, false]) {
    const world = joined(2);
    const [a, b] = ids(world);
    world.drop(a);
    if (isNewFirst) {
      // The room has let the new stream in; nobody has heard of it yet.
      while (world.room.inside.size < 2) world.arrive(true);
    }
    world.kick();
    world.settle();
    assert.is(world.client(b).place, 'out');
    assert.is(world.client(b).told.filter((one) => one.type === 'unavailable').length, 1, 'told once');
    assert.is(world.room.inside.size, 0, 'no ghost stays');
    world.join(b);
    world.settle();
    assert.is(world.client(b).place, 'in');
  }
});

test('a hand-over that has been taken back is heard to its end when the account is kicked meanwhile', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.blink(a);
  // So that it waits for a stream of its own, and is in the room by the old one yet.
  world.input({ kind: 'credentials', known: true });
  const before = world.roomSays();
  world.arrive(false);
  // The stream that the room was to go to has to give it up again.
  world.blink(b);
  world.kick();
  world.settle();
  const { place, heard, told } = world.client(b);
  assert.is(place, 'out');
  assert.equal(heard, [before]);
  assert.is(told.at(-1)?.type, 'unavailable');
  assert.is(world.room.inside.size, 0, 'no ghost stays');
  world.accountStream(true);
  world.join(b);
  world.settle();
  assert.is(world.client(b).place, 'in');
});

test('what a room that was silent for long answers to a hand-over given up is not for the client of that stream', () => {
  for (const isIn of [true, false]) {
    const world = joined(2);
    const [a, b] = ids(world);
    world.roomSays();
    world.arrive(false);
    world.drop(a);
    world.bind();
    // The room answers nothing until the join that was sent to it has been taken back, and nobody waits for an answer to that any more.
    assert.is(world.fire('silence'), `move ${ROOM}`);
    assert.is(world.fire('silence'), `depart ${world.client(b).carrier} ${ROOM}`);
    if (!isIn) world.leave(b);
    const before = world.client(b).told.length;
    world.settle();
    assert.equal(
      world
        .client(b)
        .told.slice(before)
        .filter(({ type }) => type !== 'groupchat'),
      [],
      'it sees no stay of its own',
    );
    assert.is(world.client(b).place, isIn ? 'in' : 'out');
    assert.is(new Set(world.client(b).heard).size, world.client(b).heard.length, 'each message once');
    assert.is(world.room.inside.size, 1);
    world.join(b);
    world.settle();
    assert.is(world.client(b).place, 'in');
    world.drop(b);
    world.settle();
    assert.equal(
      [...world.state.carriers.values()].map(({ rooms }) => rooms.size),
      [1],
      'the stream is given back',
    );
  }
});

test('a stream to which a room still owes the end of a stay sleeps with its session', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.drop(a);
  world.bind();
  const { carrier } = world.client(b);
  while (world.fire('silence') !== `depart ${carrier} ${ROOM}`);
  assert.is(world.state.carriers.get(carrier)?.rooms.size, 1);
  world.input({ kind: 'session-hibernates', session: b, isDeaf: false });
  assert.ok(world.counted.some((one) => one.kind === 'suspend-carrier' && one.carrier === carrier));
});

test('the streams of a node that stops all leave: none of them takes over from another, in whatever order they are told', () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ] as const) {
    const world = joined(3);
    const all = ids(world);
    const [stays] = [world.client(all[2]).carrier];
    world.input({
      kind: 'carriers-leave',
      carriers: order.map((index) => world.client(all[index]).carrier),
      mayOpen: false,
    });
    world.settle();
    assert.is(roomOf(world).carrier, stays);
    const tried = world.sent.filter(({ stanza }) => stanza.name === 'presence' && stanza.root.child('x') !== undefined);
    assert.equal(
      [...new Set(tried.map(({ carrier }) => carrier))].sort(),
      [world.client(all[0]).carrier, stays].sort(),
    );
    // Also a join that comes now goes through the one that stays.
    world.say(all[1], 'still here');
    world.settle();
    assert.is(world.room.inside.size, 1);
  }
});

test('the messages of a hand-over are compared for a while, also when the old stream is lost in the middle', () => {
  const world = joined(2);
  const [a] = ids(world);
  world.drop(a);
  world.input({ kind: 'carrier-lost', carrier: 'c1' as never });
  world.settle();
  while (world.timers.size > 0 && world.now < 1_700_000_000_000 + 60_000) world.fire();
  assert.is(roomOf(world).overlap, undefined);
});

test('what the stream before the last one still delivers in a second hand-over is not heard again', () => {
  const world = joined(3);
  const [a, b, c] = ids(world);
  world.drop(a);
  while (world.room.inside.size < 2) world.arrive(true);
  const said = world.roomSays();
  // All that the room has for the new stream arrives, and nothing for the old one.
  for (let count = 0; count < 6; count += 1) world.arrive(false, 1);
  world.drop(b);
  world.settle();
  assert.equal(world.client(c).heard, [said]);
});

test('a nick that somebody else has taken meanwhile says nothing of the service', () => {
  const world = joined(1);
  const [a] = ids(world);
  world.join(world.bind());
  world.input({ kind: 'carrier-lost', carrier: world.client(a).carrier });
  const join = world.sent.at(-2)?.stanza;
  world.arrives(
    'c3' as never,
    `<presence type='error' id='${join?.id}' from='${ROOM}/alice'><error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error></presence>`,
  );
  assert.is(world.state.services.refusesSharedNick('muc.test', world.now), false);
});

test('a gateway that answers for the room before it is in does not end a hand-over', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.drop(a);
  const fence = world.sent.at(-1)?.stanza;
  const { jid, carrier } = world.client(b);
  world.arrives(carrier, `<iq type='result' id='${fence?.id}' from='${ROOM}' to='${jid}'/>`);
  world.settle();
  assert.is(roomOf(world).carrier, carrier);
  assert.is(world.room.inside.size, 1);
});

test('an occupant that asks something of a stream which is just coming in gets an answer', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  const ask = (to: string): string =>
    `<iq type='get' id='q' from='${ROOM}/bob' to='${to}'><query xmlns='${NS.discoInfo}'/></iq>`;
  world.drop(a);
  const { jid, carrier } = world.client(b);
  world.arrives(carrier, ask(jid));
  assert.is(world.client(b).told.at(-1)?.id, 'q');
  const fresh = new World();
  const first = fresh.bind();
  fresh.join(first);
  fresh.arrives(fresh.client(first).carrier, ask(fresh.client(first).jid));
  assert.is(fresh.client(first).told.at(-1)?.id, 'q');
  fresh.send(first, `<iq type='result' id='q' to='${ROOM}/bob'/>`);
  fresh.settle();
  assert.is(fresh.sent.at(-1)?.stanza.id, 'q');
});

test('a nick change in the middle of a hand-over is not lost, and parts no streams', () => {
  const world = joined(3);
  const [a, b, c] = ids(world);
  world.drop(a);
  world.send(c, `<presence id='n' to='${ROOM}/alicia'/>`);
  world.settle();
  assert.equal([...world.room.inside.values()], ['alicia']);
  assert.is(world.client(b).place, 'in');
});

const join = (password: string, id: string): string =>
  `<presence id='${id}' to='${ROOM}/alice'><x xmlns='${NS.muc}'><password>${password}</password></x></presence>`;
const refusal = (id: string | undefined): string =>
  `<presence type='error' id='${id}' from='${ROOM}/alice'><error type='auth'><not-authorized xmlns='${NS.stanzaErrors}'/></error></presence>`;

test('a refusal is for the wish that was sent, not for whoever waits in its place', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  const { carrier } = world.client(a);
  world.send(a, join('wrong', 'a1'));
  world.send(b, join('right', 'b1'));
  world.drop(a);
  // The stream is taken back with its client, so the other one's wish is what is asked next.
  world.settle();
  assert.equal([world.client(b).place, world.client(b).errors], ['in', 0]);
  const other = new World();
  const [c, d] = [other.bind(), other.bind()];
  other.send(c, join('wrong', 'c1'));
  other.send(d, join('right', 'd1'));
  other.leave(c);
  other.arrives(carrier, refusal('c1'));
  other.settle();
  assert.equal([other.client(d).place, other.client(d).errors], ['in', 0]);
});

test('a join that is asked anew with another password is tried, and what came behind the first is not lost', () => {
  const world = new World();
  const a = world.bind();
  world.send(a, join('wrong', 'a1'));
  world.send(a, `<iq type='get' id='q' to='${ROOM}'><query xmlns='${NS.discoInfo}'/></iq>`);
  world.send(a, join('right', 'a2'));
  world.arrives(world.client(a).carrier, refusal('a1'));
  world.settle();
  assert.is(world.client(a).errors, 0);
  assert.is(world.client(a).place, 'in');
  assert.is(world.client(a).told.at(-1)?.id, 'q');
});

test('what waited for a carrier that cannot come in is answered', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.input({ kind: 'carrier-lost', carrier: world.client(a).carrier });
  const id = world.sent.at(-2)?.stanza.id;
  world.send(b, `<iq type='get' id='q' to='${ROOM}/bob'><query xmlns='${NS.version}'/></iq>`);
  world.arrives(
    world.client(b).carrier,
    `<presence type='error' id='${id}' from='${ROOM}/alice'><error type='auth'><registration-required xmlns='${NS.stanzaErrors}'/></error></presence>`,
  );
  assert.is(world.client(b).place, 'out');
  assert.is(world.client(b).told.find((one) => one.id === 'q')?.type, 'error');
});

test('a client that blinks and joins its rooms anew gets into each', () => {
  const world = new World();
  const a = world.bind();
  const toOther = `<presence id='o' to='${OTHER}/alice'><x xmlns='${NS.muc}'/></presence>`;
  world.join(a);
  world.send(a, toOther);
  world.settle();
  world.blink(a);
  world.join(a);
  world.send(a, toOther);
  world.settle();
  assert.is(world.client(a).errors, 0);
  assert.equal([world.room.inside.size, world.other.inside.size], [1, 1]);
});

test('an account stream that the server ended for having too many sessions does not come back at once', () => {
  const world = joined(1);
  world.input({ kind: 'credentials', known: true });
  world.accountStream(true);
  world.settle();
  const carrier = [...world.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
  const reopensIn = (isConflict: boolean): number => {
    world.input({ kind: 'carrier-lost', carrier: carrier?.id as never, isConflict });
    return (world.timers.get('reopen') ?? 0) - world.now;
  };
  assert.ok(reopensIn(true) >= 3_600_000);
});

test('an account stream that is lost as soon as it is open is opened at growing intervals', () => {
  const world = joined(1);
  world.input({ kind: 'credentials', known: true });
  const pauses = [];
  for (let round = 0; round < 4; round += 1) {
    world.accountStream(true);
    world.loseAccountStream();
    pauses.push((world.timers.get('reopen') ?? 0) - world.now);
    world.timers.delete('reopen');
    world.input({ kind: 'timer', key: 'reopen' });
  }
  for (const [round, pause] of pauses.entries()) {
    const usual = 1000 * 2 ** round;
    assert.ok(pause >= usual / 2 && pause <= usual * 1.5, `${pause} ms in round ${round}`);
  }
});

test('a private message that both streams of a hand-over hear is one, though the archive marks each copy', () => {
  const world = joined(3);
  const [a, b, c] = ids(world);
  world.drop(a);
  const copy = (id: string): string =>
    `<message type='chat' id='p' from='${ROOM}/bob' to='${BARE}/x'><body>psst</body><stanza-id xmlns='${NS.stanzaId}' by='${BARE}' id='${id}'/></message>`;
  world.arrives('c1' as never, copy('1'));
  world.arrives(world.client(b).carrier, copy('2'));
  assert.is(world.client(c).told.filter(({ id }) => id === 'p').length, 1);
});

test('an invitation to the bare JID is for the client of the stream that it comes on, at any time', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  const { carrier } = world.client(a);
  world.arrives(
    carrier,
    `<message from='${ROOM}' to='${BARE}'><x xmlns='${NS.mucUser}'><invite from='bob@test'/></x></message>`,
  );
  assert.is(world.counted.at(-1)?.kind, 'relay-downstream');
});

test('a session that joins between the two presences of a nick change has the new nick', () => {
  const world = joined(1);
  const [a] = ids(world);
  const { jid, carrier } = world.client(a);
  const x = (more: string): string =>
    `<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant' jid='${jid}'${more}/><status code='110'/>`;
  world.arrives(
    carrier,
    `<presence type='unavailable' from='${ROOM}/alice' to='${jid}'>${x(" nick='alicia'")}<status code='303'/></x></presence>`,
  );
  const b = world.bind();
  world.join(b, 'alicia');
  const own = world.client(b).told.find((one) => one.name === 'presence' && one.from === `${ROOM}/alicia`);
  assert.is(own?.to, world.client(b).jid);
  world.arrives(carrier, `<presence from='${ROOM}/alicia' to='${jid}'>${x('')}</x></presence>`);
  assert.is(world.client(a).told.at(-1)?.from, `${ROOM}/alicia`);
});

test('a session that leaves owes no occupant an answer', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.send(b, `<presence to='${ROOM}/alice'><show>chat</show></presence>`);
  world.settle();
  const { carrier, jid } = world.client(a);
  world.arrives(carrier, `<iq type='get' id='q' from='${ROOM}/bob' to='${jid}'><query xmlns='${NS.version}'/></iq>`);
  assert.is(world.client(b).told.at(-1)?.id, 'q');
  world.leave(b);
  assert.is(world.sent.at(-1)?.stanza.id, 'q');
  assert.is(world.sent.at(-1)?.stanza.type, 'error');
  assert.is(world.sent.at(-1)?.stanza.from, undefined);
  assert.is(world.state.inbound.size, 0);
});

test('a hand-over keeps what the presence holds, the avatar too', () => {
  const world = joined(2);
  const [a] = ids(world);
  const { carrier, jid } = world.client(a);
  const photo = "<x xmlns='vcard-temp:x:update'><photo>abc</photo></x>";
  world.arrives(
    carrier,
    `<presence from='${ROOM}/alice' to='${jid}'><show>away</show>${photo}<occupant-id xmlns='${NS.occupantId}' id='o'/>` +
      `<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant'/><status code='110'/></x></presence>`,
  );
  world.drop(a);
  const text = world.sent.at(-2)?.stanza.bytes.toString() ?? '';
  assert.match(text, photo);
  assert.match(text, '<show>away</show>');
  assert.not.match(text, 'occupant-id');
});

test('a stream that was refused is not remembered when it is gone', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.drop(a);
  const id = world.sent.at(-2)?.stanza.id;
  world.arrives(
    world.client(b).carrier,
    `<presence type='error' id='${id}' from='${ROOM}/alice'><error type='wait'><resource-constraint xmlns='${NS.stanzaErrors}'/></error></presence>`,
  );
  world.drop(b);
  assert.is(
    [...world.state.rooms.values()].every((room) => room.refused.size === 0),
    true,
  );
});

test('the old stream of a hand-over is heard to its end before the new one, which may be faster', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.drop(a);
  const said = [world.roomSays()];
  while (world.room.inside.size < 2) world.arrive(true);
  said.push(world.roomSays());
  world.arrive(true);
  said.push(world.roomSays());
  // First all that the room has for the new stream, then what it has for the old one.
  for (let count = 0; count < 9; count += 1) world.arrive(false, 1);
  assert.is(roomOf(world).carrier, world.client(b).carrier);
  world.settle();
  assert.equal(world.client(b).heard, said);
});

test('a service that takes a status crossing a kick for a join is left again', () => {
  const world = joined(1);
  const [a] = ids(world);
  const { carrier, jid } = world.client(a);
  world.kick();
  world.settle();
  world.arrives(
    carrier,
    `<presence from='${ROOM}/alice' to='${jid}'><x xmlns='${NS.mucUser}'><item role='participant'/><status code='110'/></x></presence>`,
  );
  assert.is(world.sent.at(-1)?.stanza.type, 'unavailable');
  assert.is(world.client(a).place, 'out');
});

test('what a room says late to a stream that has taken its join back is not for the client of that stream', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.bind();
  world.drop(a);
  const { carrier, jid } = world.client(b);
  const id = world.sent.find((one) => one.carrier === carrier)?.stanza.id;
  // The hand-over's join, and the leave behind it, are answered by nobody in time.
  while (world.fire() !== `depart ${carrier} ${ROOM}`);
  assert.is(roomOf(world).departing.size, 0);
  const start = world.client(b).told.length;
  const x = (status: string) => `<x xmlns='${NS.mucUser}'><item role='none'/><status code='${status}'/></x>`;
  world.arrives(carrier, `<presence from='${ROOM}/alice' to='${jid}' id='${id}'>${x('110')}</presence>`);
  world.arrives(carrier, `<presence type='unavailable' from='${ROOM}/alice' to='${jid}'>${x('110')}</presence>`);
  world.arrives(
    carrier,
    `<presence type='error' from='${ROOM}/alice' to='${jid}' id='${id}'><error type='cancel'/></presence>`,
  );
  assert.equal(world.client(b).told.slice(start), []);
  assert.is(world.client(b).place, 'in');
  assert.is(world.state.carriers.get(carrier)?.rooms.size, 0);
});

test('an answer to a join that was taken back is none to the next one on the same stream', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  world.lose(a);
  const { carrier, jid } = world.client(b);
  const first = roomOf(world).move?.joinId;
  // Nobody answers in time: it is taken back, and sent anew when the leave is not answered either.
  for (let count = 0; roomOf(world).move?.joinId === first || !roomOf(world).move; count += 1) {
    world.fire();
    assert.ok(count < 10, 'another join is sent');
  }
  const self = (id: string | undefined, type: string) =>
    `<presence from='${ROOM}/alice' to='${jid}' id='${id}'${type}><x xmlns='${NS.mucUser}'><item/><status code='110'/></x></presence>`;
  world.arrives(carrier, self(first, ''));
  world.arrives(carrier, self(first, " type='unavailable'"));
  assert.is(roomOf(world).move?.carrier, carrier, 'the second one is still under way');
  world.arrives(carrier, self(roomOf(world).move?.joinId, ''));
  assert.ok(roomOf(world).move?.self);
});

test('a request whose answer the stream that goes does not wait for is refused when that is given back', () => {
  const world = joined(2);
  const [a, b] = ids(world);
  const take = world.room.take.bind(world.room);
  world.room.take = (from, stanza, now) => (stanza.to?.endsWith('/bob') ? [] : take(from, stanza, now));
  world.send(b, `<iq type='get' id='slow' to='${ROOM}/bob'><query xmlns='jabber:iq:version'/></iq>`);
  world.settle();
  world.drop(a);
  world.settle();
  const start = world.now;
  const isRefused = (): boolean => world.client(b).told.some(({ id, type }) => id === 'slow' && type === 'error');
  while (!isRefused() && world.fire() !== undefined) world.settle();
  assert.ok(isRefused());
  assert.ok(world.now - start < 30_000, `after ${world.now - start} ms`);
});

test.run();
