/** What a session has said behind a join, and says again at the node where it goes on (rules/asked-again.ts): the room hears it once. */
import { passageOf, unfinishedOf } from '../../proxy/core/passage.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what is asked again at another node');

/** A session whose join is on its way, and what it has said behind it; another one, and an account stream. */
function joining(...behind: string[]) {
  const world = new World();
  const [one] = [world.bind(), world.bind()];
  world.input({ kind: 'credentials', known: true });
  world.join(one);
  world.accountStream(true);
  for (const xml of behind) world.send(one, xml);
  const { state } = world;
  const passage = passageOf(state, one, unfinishedOf(state, one));
  if (!passage) throw new Error('no passage');
  return { world, one, asked: passage.asked };
}

/** The session comes from the other node; what it has asked there follows. */
function comes(world: World, former: SessionId): SessionId {
  const id = world.bind();
  const session = world.state.sessions.get(id);
  const carrier = session && world.state.carriers.get(session.carrier);
  if (!session || !carrier) throw new Error('no session');
  const arrival = { sessions: [{ ...session, former }], carriers: [carrier], watched: [], known: [] };
  world.input({ kind: 'arrive', arrival });
  return id;
}

function asks(world: World, session: SessionId, asked: readonly Stanza[], isUnsure = false): void {
  for (const stanza of asked)
    world.input({ kind: 'session-stanza', session, stanza, isAskedAgain: true, ...(isUnsure && { isUnsure }) });
}

const says = (body: string, id = ` id='${body}'`): string =>
  `<message type='groupchat'${id} to='${ROOM}'><body>${body}</body></message>`;

const writes = (body: string): string => `<message type='chat' to='${ROOM}/bob'><body>${body}</body></message>`;

const asksFor = (id: string): string => `<iq type='get' id='${id}' to='${ROOM}'><query xmlns='${NS.discoInfo}'/></iq>`;

/** What went to the room, by body, in order. */
function said({ sent }: World): (string | undefined)[] {
  return sent.filter(({ stanza }) => stanza.name === 'message').map(({ stanza }) => stanza.root.child('body')?.text());
}

const words = [says('first'), says('no id', ''), writes('private'), says('no id', '')];
const once = ['first', 'no id', 'private', 'no id'];

for (const isUnsure of [false, true]) {
  const how = isUnsure ? ', whose node did not know how far the home was' : '';
  test(`the room answers after the session has come${how}`, () => {
    const { world, one, asked } = joining(...words);
    world.setOut(one);
    const id = comes(world, one);
    asks(world, id, asked, isUnsure);
    world.settle();
    assert.equal(said(world), once);
    assert.equal([world.client(id).place, world.client(id).errors], ['in', 0]);
    assert.equal(world.client(id).heard, ['first', 'no id', 'no id']);
  });

  test(`the room answers while the session is on its way${how}`, () => {
    const { world, one, asked } = joining(...words);
    world.setOut(one);
    world.settle();
    assert.equal(said(world), once);
    const id = comes(world, one);
    asks(world, id, asked, isUnsure);
    world.settle();
    assert.equal(said(world), once);
    assert.equal(world.client(id).heard, ['first', 'no id', 'no id']);
  });

  test(`the room has not shown yet what it was told when the session comes${how}`, () => {
    const { world, one, asked } = joining(...words);
    world.setOut(one);
    while (said(world).length === 0) world.arrive(false);
    const id = comes(world, one);
    asks(world, id, asked, isUnsure);
    world.settle();
    assert.equal(said(world), once);
  });
}

test('a status behind it is said where it comes, as nobody says it for a session that has gone', () => {
  const { world, one, asked } = joining(says('first'), `<presence to='${ROOM}/alice'><show>dnd</show></presence>`);
  const sibling = [...world.sessions.keys()].find((id) => id !== one) as SessionId;
  world.join(sibling);
  world.setOut(one);
  world.settle();
  // So that it is the other one that the room is to be shown.
  world.send(sibling, `<presence to='${ROOM}/alice'><show>xa</show></presence>`);
  world.settle();
  const id = comes(world, one);
  asks(world, id, asked);
  world.settle();
  assert.equal(said(world), ['first']);
  const shows = (): number => world.sent.filter(({ stanza }) => stanza.root.child('show')?.text() === 'dnd').length;
  // The room is shown no more than one change in a while.
  for (let turns = 0; turns < 5 && shows() === 0; turns += 1) world.fire();
  assert.is(shows(), 1);
});

test('the session comes before its earlier node has said that it is gone', () => {
  const { world, one, asked } = joining(...words);
  const id = comes(world, one);
  asks(world, id, asked);
  world.setOut(one);
  world.settle();
  assert.equal(said(world), once);
  assert.is(world.client(id).place, 'in');
});

test('a home that stops leaves it to the session, which says it at the next one', () => {
  const { world, one, asked } = joining(...words);
  world.state.isStopping = true;
  world.setOut(one);
  world.settle();
  assert.equal(said(world), []);
  const next = new World({ prefix: 'n-' });
  const id = comes(next, one);
  asks(next, id, asked);
  next.settle();
  assert.equal(said(next), once);
});

test('so it does where the account has moved there with its home', () => {
  const { world, one, asked } = joining(...words);
  world.state.isStopping = true;
  world.setOut(one);
  world.state.isStopping = false;
  const id = comes(world, one);
  asks(world, id, asked);
  world.settle();
  // A room that may be ending is given some time.
  assert.is(world.fire(), `leave ${ROOM}`);
  world.settle();
  assert.equal(said(world), once);
});

test('for a session that does not come it is said all the same', () => {
  const { world, one } = joining(...words);
  world.setOut(one);
  world.settle();
  world.input({ kind: 'timer', key: `travels ${one}` });
  world.settle();
  assert.equal(said(world), once);
});

test('what a room that has refused the join was not told is said when it lets the session in', () => {
  const { world, one, asked } = joining(...words);
  world.room.refusal = 'service-unavailable';
  world.setOut(one);
  world.settle();
  assert.equal(said(world), []);
  world.room.refusal = undefined;
  const id = comes(world, one);
  asks(world, id, asked);
  world.settle();
  assert.equal(said(world), once);
});

test('so it is where the room has let in another device since', () => {
  for (const isThere of [false, true]) {
    const { world, one, asked } = joining(...words, asksFor('q'));
    const sibling = [...world.sessions.keys()].find((id) => id !== one) as SessionId;
    world.room.refusal = 'service-unavailable';
    world.setOut(one);
    // The room refuses before the session has come, or between its coming and what it asks.
    if (!isThere) world.settle();
    const id = isThere ? comes(world, one) : undefined;
    world.settle();
    assert.equal(said(world), []);
    world.room.refusal = undefined;
    world.join(sibling);
    world.settle();
    const there = id ?? comes(world, one);
    asks(world, there, asked);
    world.settle();
    assert.equal(said(world), once);
    const [answer] = world.client(there).told.filter((stanza) => stanza.name === 'iq' && stanza.id === 'q');
    assert.is(answer?.type, 'result');
  }
});

test('what was said is not said again for something behind it that no room is told', () => {
  const { world, one, asked } = joining(writes('private'), `<iq type='result' id='r' to='${ROOM}/bob'/>`);
  world.setOut(one);
  world.settle();
  const id = comes(world, one);
  asks(world, id, asked);
  world.settle();
  assert.equal(said(world), ['private']);
});

test('and where so many have gone that a home carries out no more of their joins', () => {
  const { world, one, asked } = joining();
  const ids = [one];
  for (let count = 1; count <= 16; count += 1) {
    const id = world.bind();
    world.join(id);
    ids.push(id);
  }
  for (const [index, id] of ids.entries()) world.send(id, says(`word ${index}`, ''));
  const last = ids.at(-1) as SessionId;
  const { state } = world;
  const passage = passageOf(state, last, unfinishedOf(state, last));
  for (const id of ids) world.setOut(id);
  world.settle();
  assert.is(said(world).length, 16);
  const id = comes(world, last);
  asks(world, id, [...asked, ...(passage?.asked ?? [])]);
  world.settle();
  assert.equal(said(world).at(-1), 'word 16');
  assert.is(new Set(said(world)).size, 17);
});

test('a request is answered once, or refused where the answer came to nobody', () => {
  for (const isEarly of [false, true]) {
    const { world, one, asked } = joining(asksFor('q'));
    world.setOut(one);
    if (isEarly) world.settle();
    const id = comes(world, one);
    asks(world, id, asked);
    world.settle();
    const answers = world.client(id).told.filter((stanza) => stanza.name === 'iq' && stanza.id === 'q');
    assert.equal(
      answers.map(({ type }) => type),
      [isEarly ? 'error' : 'result'],
    );
  }
});

test('a leave behind it is a leave, and comes behind what was said', () => {
  for (const isEarly of [false, true]) {
    const { world, one, asked } = joining(says('last'), `<presence type='unavailable' to='${ROOM}/alice'/>`);
    world.setOut(one);
    if (isEarly) world.settle();
    const id = comes(world, one);
    asks(world, id, asked);
    world.settle();
    assert.equal([said(world), world.client(id).place], [['last'], 'out']);
  }
});

test('a home that has not had the session goes by what the room has shown', () => {
  const { asked } = joining(says('shown'), says('not shown'));
  const world = new World();
  const there = world.bind();
  world.join(there);
  world.settle();
  world.say(there, 'shown');
  world.settle();
  const id = comes(world, 'elsewhere' as SessionId);
  asks(world, id, asked, true);
  world.settle();
  assert.equal(said(world), ['shown', 'not shown']);
});

test.run();
