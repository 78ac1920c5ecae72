/** What a room says between its admission of the account and the end of the join's answer. */
import type { SessionId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what is said while a join is answered');

/** Two sessions that wait for one join; the room has answered all but the fence. */
function admitted(): { world: World; a: SessionId; b: SessionId; says(inner: string, more?: string): void } {
  const world = new World();
  const [a, b] = [world.bind(), world.bind()];
  world.join(a);
  world.join(b);
  const { carrier, jid } = world.client(a);
  const room = world.state.rooms.values().next().value;
  while (!room?.attempt?.self || !room.subject) assert.ok(world.arrive(true));
  const says = (inner: string, more = `type='groupchat' from='${ROOM}'`): void =>
    world.arrives(carrier, `<message to='${jid}' ${more}>${inner}</message>`);
  return { world, a, b, says };
}

/** What a session was told, in short. */
function told(world: World, session: SessionId): string[] {
  return world.client(session).told.map((stanza) => {
    const { name, root } = stanza;
    if (name === 'presence')
      return root.child('x', NS.mucUser)?.children.some((one) => one.attr('code') === '110') ? 'self' : 'other';
    if (root.child('subject')) return `subject ${root.child('subject')?.text()}`.trim();
    const status = root.child('x', NS.mucUser)?.child('status')?.attr('code');
    return root.child('body')?.text() ?? status ?? root.children[0]?.name ?? '';
  });
}

const changed = `<x xmlns='${NS.mucUser}'><status code='104'/></x>`;
const typing = `<composing xmlns='${NS.chatStates}'/>`;
const bob = `from='${ROOM}/bob'`;

test('reaches each session that waits, behind its answer and in its order', () => {
  const { world, a, b, says } = admitted();
  says(changed);
  says(typing, `type='groupchat' ${bob}`);
  says('<body>welcome</body>', `type='groupchat' ${bob}`);
  says('<subject>new</subject>', `type='groupchat' ${bob}`);
  says('<body>psst</body>', `type='chat' ${bob}`);
  assert.equal([told(world, a), told(world, b)], [[], []]);
  world.settle();
  const wanted = ['other', 'self', 'subject', '104', 'composing', 'welcome', 'subject new', 'psst'];
  assert.equal(told(world, a), wanted);
  assert.equal(told(world, b), wanted);
});

test('is history for those that come later where it is that, and not otherwise', () => {
  const { world, says } = admitted();
  says(`<body>forget</body><no-store xmlns='${NS.hints}'/>`, `type='groupchat' ${bob}`);
  says('<body>keep</body>', `type='groupchat' ${bob}`);
  world.settle();
  const later = world.bind();
  world.join(later);
  world.settle();
  assert.equal(told(world, later), ['other', 'self', 'keep', 'subject']);
});

test('what comes before the admission is none of it, and history has its place', () => {
  const { world, a, says } = admitted();
  const delay = `<delay xmlns='${NS.delay}' from='${ROOM}' stamp='2020-01-01T00:00:00Z'/>`;
  says(`<body>old</body>${delay}`, `type='groupchat' ${bob}`);
  says(`${typing}${delay}`, `type='groupchat' ${bob}`);
  says('<subject>topic</subject>', `type='groupchat' ${bob}`);
  world.settle();
  assert.equal(told(world, a), ['other', 'self', 'old', 'composing', 'subject topic']);
});

test('is bounded', () => {
  const { world, a, says } = admitted();
  for (let count = 0; count < 300; count++) says(`<body>${count}</body>`, `type='chat' ${bob}`);
  world.settle();
  assert.equal(
    told(world, a).slice(3),
    Array.from({ length: 200 }, (_, count) => String(count)),
  );
  assert.is(world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'queue-full').length, 100);
});

test.run();
