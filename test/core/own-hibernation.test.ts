/** Sessions that the proxy keeps by itself, since the server has no XEP-0198 (S9): their streams go on, and what they leave behind. */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, World } from './world.ts';

const test = suite('sessions that the proxy keeps');

function hibernate(world: World, session: SessionId): void {
  world.input({ kind: 'session-hibernates', session, isDeaf: false, isStreamKept: true });
}

/** The session ends, and these were not acknowledged. */
function giveUp(world: World, session: SessionId, texts: readonly string[], isFinal = false): void {
  const stanzas = texts.map((text) => parseStanza(text));
  world.input({ kind: 'session-undelivered', session, stanzas, isFinal });
  world.drop(session);
}

const letter = (id: string, from = 'bob@test/x', type = 'chat') =>
  `<message from='${from}' to='${BARE}/r1' type='${type}' id='${id}'><body>${id}</body></message>`;

/** Ids of what a session was told that bears a delay, the room's own words left out. */
function delayed(world: World, session: SessionId): (string | undefined)[] {
  const isLate = (one: Stanza) => one.type !== 'groupchat' && one.root.child('delay', NS.delay) !== undefined;
  return world
    .client(session)
    .told.filter(isLate)
    .map(({ id }) => id);
}

/** What went to carriers as an error, as `id condition`. */
function errors(world: World): string[] {
  return world.sent
    .filter(({ stanza }) => stanza.type === 'error')
    .map(({ stanza }) => {
      const { from } = stanza;
      assert.is(from, undefined, 'the server knows from whom');
      return `${stanza.to} ${stanza.id} ${stanza.root.child('error')?.children[0]?.name}`;
    });
}

test('a carrier whose session is kept goes on: the room sees nothing, and siblings and the session hear all', () => {
  for (const isShared of [true, false]) {
    const world = new World({ isShared });
    const [a, b] = [world.bind(), world.bind()];
    world.join(a);
    world.join(b);
    world.settle();
    hibernate(world, a);
    const said = [world.roomSays(), world.roomSays()];
    world.settle();
    world.input({ kind: 'session-awakes', session: a });
    said.push(world.roomSays());
    world.settle();
    assert.is(world.room.witnessed, '+');
    assert.equal(
      [a, b].map((one) => world.client(one).heard),
      [said, said],
    );
    assert.equal(
      world.sent.filter(({ stanza }) => stanza.type === 'unavailable'),
      [],
    );
  }
});

test('a new room is carried by a session that is awake, if one is available', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  hibernate(world, a);
  world.join(b);
  world.settle();
  assert.equal([...(world.state.carriers.get(world.client(b).carrier)?.rooms ?? [])], [ROOM]);
});

test('and handed over to one that is awake', () => {
  const world = new World();
  const [a, b, c] = [world.bind(), world.bind(), world.bind()];
  world.join(c);
  world.join(b);
  world.settle();
  hibernate(world, a);
  world.drop(c);
  world.settle();
  assert.equal([...(world.state.carriers.get(world.client(b).carrier)?.rooms ?? [])], [ROOM]);
});

test('its time over, what it carried is handed over as at any end', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  hibernate(world, a);
  world.drop(a);
  const said = world.roomSays();
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.equal(world.client(b).heard, [said]);
});

test('an unavailable presence that is withheld when the client drops goes out when the rooms are free, and the stream stays', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.blink(a);
  hibernate(world, a);
  world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(world.state.carriers.get(world.client(a).carrier)?.status, 'ready');
  assert.is(
    world.counted.some(({ kind }) => kind === 'suspend-carrier'),
    false,
  );
});

test('so does one that is still withheld when the client is back', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  world.blink(a);
  hibernate(world, a);
  world.input({ kind: 'session-awakes', session: a });
  assert.is(world.state.carriers.get(world.client(a).carrier)?.status, 'retiring');
  world.settle();
  assert.is(world.state.carriers.get(world.client(a).carrier)?.rooms.size, 0);
  assert.is(world.room.witnessed, '+');
});

test('messages that it never acknowledged go to a sibling that is awake, at once and with a delay', () => {
  const world = new World();
  const [a, b, c] = [world.bind(), world.bind(), world.bind()];
  hibernate(world, a);
  hibernate(world, c);
  const own = `<delay xmlns='${NS.delay}' stamp='2020-01-01T00:00:00Z'/>`;
  giveUp(world, a, [
    letter('one'),
    letter('two').replace('</message>', `${own}</message>`),
    letter('plain', 'bob@test/x', 'normal'),
  ]);
  assert.equal(delayed(world, b), ['one', 'two', 'plain']);
  assert.equal(delayed(world, c), []);
  const two = world.client(b).told.find(({ id }) => id === 'two');
  assert.is(two?.root.children.filter(({ ns }) => ns === NS.delay).length, 1, 'the delay that it had');
  assert.equal(errors(world), []);
});

test('without one they are kept for the next session, past the end of the account, in order', () => {
  const world = new World();
  const a = world.bind();
  hibernate(world, a);
  giveUp(world, a, [letter('one'), letter('two')]);
  world.settle();
  assert.is(world.isIdle, false, 'the account is remembered');
  const b = world.bind();
  assert.equal(delayed(world, b), ['one', 'two']);
  const c = world.bind();
  assert.equal(delayed(world, c), [], 'once');
  for (const one of [b, c]) world.drop(one);
  assert.ok(world.isIdle);
});

test('one that hibernates meanwhile gets them when it wakes', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  hibernate(world, a);
  hibernate(world, b);
  giveUp(world, a, [letter('one')]);
  world.input({ kind: 'session-awakes', session: b });
  assert.equal(delayed(world, b), ['one']);
});

test('nobody comes for them: after their time the account is forgotten, and they are counted', () => {
  const world = new World();
  const a = world.bind();
  giveUp(world, a, [letter('one'), letter('two')]);
  while (!world.isIdle) assert.is(world.fire(), 'kept');
  assert.equal(
    world.counted
      .map((effect) => (effect.kind === 'drop' ? effect.reason : effect.kind))
      .filter((one) => one === 'no-session'),
    ['no-session', 'no-session'],
  );
});

test('beyond what may be kept, by number or bytes, or where nothing is, senders learn that nobody has got it', () => {
  const many = Array.from({ length: 103 }, (_, count) => letter(`m${count}`));
  const large = letter('large').replace('</body>', `${'x'.repeat(300_000)}</body>`);
  const refused = (id: string) => `bob@test/x ${id} recipient-unavailable`;
  const world = new World();
  giveUp(world, world.bind(), [large, ...many]);
  assert.equal(errors(world), [refused('large'), refused('m100'), refused('m101'), refused('m102')]);
  assert.is(world.state.kept.length, 100);
  const none = new World({ settings: { historyAgeMs: 0 } });
  giveUp(none, none.bind(), [letter('one')]);
  assert.equal(errors(none), [refused('one')]);
  assert.ok(none.isIdle);
});

test('what is written to an account stream is given once to a device that is awake, whatever becomes of one that sleeps', () => {
  for (const end of ['expires', 'wakes', 'process']) {
    for (const isSiblingAwake of [true, false]) {
      const world = new World();
      const [a, b] = [world.bind(), world.bind()];
      world.input({ kind: 'credentials', known: true });
      world.join(a);
      world.accountStream(true);
      world.settle();
      hibernate(world, b);
      if (!isSiblingAwake) hibernate(world, a);
      const [stream] = [...world.state.carriers.values()].filter(({ kind }) => kind === 'account-stream');
      assert.ok(stream);
      world.arrives(stream.id, letter('one'));
      const given = (one: SessionId): number => world.client(one).told.filter(({ id }) => id === 'one').length;
      // What it was given and has not acknowledged is found with it.
      const owed = given(b) > 0 ? [letter('one')] : [];
      if (end === 'wakes') world.input({ kind: 'session-awakes', session: b });
      const times = given(b);
      if (end !== 'wakes') giveUp(world, b, owed, end === 'process');
      const what = `${end} ${isSiblingAwake}`;
      if (isSiblingAwake) assert.equal([given(a), times], [1, 0], what);
      else {
        world.input({ kind: 'session-awakes', session: a });
        assert.is(given(a) + times, 1, what);
      }
      assert.equal(errors(world), [], what);
    }
  }
});

test('at the end of the process senders learn it, siblings or not', () => {
  const world = new World();
  const [a] = [world.bind(), world.bind()];
  giveUp(world, a, [letter('one')], true);
  assert.equal(errors(world), ['bob@test/x one recipient-unavailable']);
});

test('a room is told nothing even then: it would throw the account out', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  world.settle();
  giveUp(world, a, [letter('pm', `${ROOM}/bob`)], true);
  assert.equal(errors(world), []);
  assert.is(world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'no-session').length, 1);
});

test('with its stream lost there is nobody to be told: what cannot be kept is counted', () => {
  const world = new World({ settings: { historyAgeMs: 0 } });
  const a = world.bind();
  world.input({ kind: 'carrier-lost', carrier: world.client(a).carrier });
  giveUp(world, a, [letter('one'), `<iq type='get' id='q' from='bob@test/x'><ping xmlns='${NS.ping}'/></iq>`]);
  assert.equal(errors(world), []);
  assert.is(world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'no-session').length, 2);
});

test('a stream that is lost while its session is kept ends its place in rooms, with the session', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  world.settle();
  hibernate(world, a);
  world.lose(a);
  assert.ok(world.isIdle);
  const b = world.bind();
  world.settle();
  assert.equal(world.room.inside.size, 0, 'nobody asks to be in');
  world.join(b);
  world.settle();
  assert.is(world.client(b).place, 'in');
});

test('requests are refused; what others have sent again, or nobody has written, goes nowhere', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  giveUp(world, a, [
    `<iq type='get' id='q1' from='bob@test/x' to='${BARE}/r1'><ping xmlns='${NS.ping}'/></iq>`,
    `<iq type='set' id='q2' from='${BARE}' to='${BARE}/r1'><query xmlns='jabber:iq:roster'/></iq>`,
    `<iq type='set' id='q3'><query xmlns='jabber:iq:roster'/></iq>`,
    `<iq type='result' id='q4' from='bob@test/x'/>`,
    "<presence from='bob@test/x'/>",
    letter('head', 'bob@test/x', 'headline'),
    letter('error', 'bob@test/x', 'error'),
    letter('room', `${ROOM}/bob`, 'groupchat'),
    `<message from='bob@test/x' type='chat'><composing xmlns='${NS.chatStates}'/></message>`,
    `<message from='${BARE}'><received xmlns='${NS.carbons}'/><body>copy</body></message>`,
    `<message from='${ROOM}'><result xmlns='${NS.mam}'/><body>old</body></message>`,
  ]);
  assert.equal(errors(world), ['bob@test/x q1 service-unavailable']);
  assert.equal(delayed(world, b), []);
  assert.equal(world.state.kept, []);
});

test('invitations are kept without a body', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  giveUp(world, a, [
    `<message from='${ROOM}' id='mediated'><x xmlns='${NS.mucUser}'><invite from='bob@test'/></x></message>`,
    `<message from='bob@test/x' id='direct'><x xmlns='${NS.directInvite}' jid='${ROOM}'/></message>`,
  ]);
  assert.equal(delayed(world, b), ['mediated', 'direct']);
});

test('so are messages without a text, such as encrypted ones and receipts, of which senders are told nothing', () => {
  const world = new World();
  const a = world.bind();
  const secret = `<message from='bob@test/x' to='${BARE}/r1' type='chat' id='e'><encrypted xmlns='urn:xmpp:omemo:2'/></message>`;
  const receipt = `<message from='bob@test/x' to='${BARE}/r1' id='r'><received xmlns='urn:xmpp:receipts' id='1'/></message>`;
  const typing = `<message from='bob@test/x' to='${BARE}/r1' type='chat' id='t'><composing xmlns='${NS.chatStates}'/></message>`;
  giveUp(world, a, [secret, receipt, typing]);
  const b = world.bind();
  assert.equal(delayed(world, b), ['e', 'r']);
  giveUp(world, b, [secret], true);
  assert.equal(errors(world), []);
});

test('what is asked under an id that no client makes is not answered on a stream that others depend on', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  world.settle();
  const { carrier } = world.client(a);
  for (const length of [1024, 1025]) {
    const id = "'".repeat(length).replaceAll("'", '&apos;');
    const stanza = parseStanza(
      `<iq from='${ROOM}/bob' to='${BARE}/r1' type='get' id='${id}'><query xmlns='urn:x'/></iq>`,
    );
    world.input({ kind: 'carrier-stanza', carrier, stanza });
  }
  assert.is(world.state.inbound.size, 1);
});

test('a private message that a joined sibling has got too is not given to it again', () => {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  world.settle();
  giveUp(world, a, [letter('pm', `${ROOM}/bob`)]);
  assert.equal(delayed(world, b), []);
  const c = world.bind();
  world.join(c);
  world.settle();
  assert.equal(delayed(world, c), [], 'nor to a later one');
});

test('one that nobody else has got waits for whoever joins the room next, if the account stays in it', () => {
  const world = new World();
  const a = world.bind();
  world.input({ kind: 'credentials', known: true });
  world.join(a);
  world.accountStream(true);
  world.settle();
  giveUp(world, a, [letter('pm', `${ROOM}/bob`)]);
  const b = world.bind();
  assert.equal(delayed(world, b), []);
  world.join(b);
  world.settle();
  assert.equal(delayed(world, b), ['pm']);
  assert.equal(errors(world), [], 'no error ever goes to a room');
});

test('and for the next session, if the account goes with this one', () => {
  const world = new World();
  const a = world.bind();
  world.join(a);
  world.settle();
  giveUp(world, a, [letter('pm', `${ROOM}/bob`)]);
  world.settle();
  assert.equal(delayed(world, world.bind()), ['pm']);
  assert.equal(errors(world), []);
});

test.run();
