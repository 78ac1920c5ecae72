/** Bytes that no stream may contain end their own stream with the error that belongs to them, and nothing else (X2, M9). */
import { createRoom, joinRoom } from '../support/room.ts';
import { type Hostile, IN_STREAM, LATER_MESSAGE } from '../xml/hostile.ts';
import { assert, type Client, stages } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('input-hostile', { limitMs: 90_000 });

/** Those about size depend on limits and have tests of their own. */
const rows = IN_STREAM.filter(({ condition }) => condition !== 'policy-violation');
/** On a WebSocket: whole elements in valid UTF-8, as only these are messages with bad XML and not bad messages. */
const messages = [
  ...LATER_MESSAGE,
  ...rows.filter(({ bytes }) => {
    const text = bytes.toString();
    return Buffer.from(text).equals(bytes) && /^<message.*(<\/message>|\/>)$/s.test(text);
  }),
];

stage('X2', 'hostile XML gets its stream error, before and after authentication, and siblings go on', async (scene) => {
  const room = scene.newRoom();
  const proxy = await scene.proxy();
  const sibling = await scene.login(proxy.at('tcp'), 'alice', {
    mechanism: strongest(scene.server.features.mechanisms),
  });
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  await joinRoom(sibling, `${room}/al`);
  await bob.pick(`<presence from='${room}/al'/>`);
  const user = await scene.user('alice');
  for (const access of ['tcp', 'ws'] as const) {
    const all = access === 'tcp' ? rows : messages;
    // Every fifth of them: the framer's own tests have all.
    for (const hostile of all.filter((_, index) => index % 5 === 0)) {
      await scene.connect(proxy.at(access), (client) => refused(client, hostile, access));
      await scene.connect(proxy.at(access), async (client) => {
        await client.login({ user });
        await refused(client, hostile, access);
      });
    }
  }
  await until('their streams are gone', () => proxy.app.census().sessions === 1);
  await sibling.ping();
  bob.send(`<message type='groupchat' to='${room}' id='still'><body>here?</body></message>`);
  await sibling.pick(`<message type='groupchat' id='still' to='${sibling.jid}'/>`);
  assert.equal(
    (await bob.fence({ room })).filter((one) => one.name === 'presence' && one.type === 'unavailable'),
    [],
  );
});

stage.run();

async function refused(client: Client, { what, bytes, condition }: Hostile, access: string): Promise<void> {
  client.sendRaw(bytes);
  const { error, isClean } = await client.closed;
  assert.ok(error?.child(condition, 'urn:ietf:params:xml:ns:xmpp-streams'), `${access}, ${what}: ${error?.print()}`);
  assert.ok(isClean, `${access}, ${what}`);
}

function strongest(mechanisms: readonly string[]): string {
  return mechanisms.find((one) => one !== 'PLAIN' && one !== 'legacy') ?? 'PLAIN';
}
