/** A password that is right no more (X4): it is tried once, forgotten, and the account goes on without its own stream. */
import { connect, createServer, type Socket } from 'node:net';
import { callEjabberd } from '../servers/ejabberd.ts';
import type { Server } from '../servers/server.ts';
import { ns } from '../support/element.ts';
import { createRoom, joinRoom } from '../support/room.ts';
import { assert, type Client, stages } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('input-password');

stage(
  'X4',
  'the account stream ends for good when the password has been changed; the next login with the new one opens another',
  async (scene) => {
    const room = scene.newRoom();
    const link = await startLink(scene.server.ports.plain);
    scene.after(() => link.stop());
    const proxy = await scene.proxy({ upstream: link.upstream });
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const alice = await scene.login(proxy.at('tcp'), 'alice');
    await joinRoom(alice, `${room}/al`);
    const [own = ''] = await occupantJids(bob, room);
    assert.match(own, '/minimix-rooms-');
    const user = await scene.user('alice');
    await changePassword(scene.server, user, 'changed');
    // The newest connection to the server is the account's own.
    link.cutLast();
    await until('the old password has been refused', () => refusals(proxy.log) === 1);
    // The device's own stream carries the room now, and the old password is not tried again.
    await until('the account is back', async () => (await occupantJids(bob, room)).includes(alice.jid));
    const next = scene.newRoom();
    await createRoom(bob, `${next}/bob`);
    await joinRoom(alice, `${next}/al`);
    assert.equal(await occupantJids(bob, next), [alice.jid]);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.is(refusals(proxy.log), 1);
    const refused = await scene.login(proxy.at('ws'), 'alice', { password: user }).catch((error) => error);
    assert.is(refused.condition, 'not-authorized');
    const phone = await scene.login(proxy.at('ws'), 'alice', { password: 'changed' });
    await joinRoom(phone, `${room}/al`);
    // The server may keep the place of the first one for a while.
    await until('the room is on an account stream again', async () =>
      (await occupantJids(bob, room)).some((jid) => jid !== own && jid.includes('/minimix-rooms-')),
    );
    for (const text of [user, 'changed'].map((one) => `"${one}"`)) {
      assert.not.ok(
        proxy.log.some((line) => line.includes(text)),
        'a password is in the log',
      );
    }
  },
  // The proxy does the same whatever server refuses.
  { on: ['prosody', 'ejabberd'] },
);

stage.run();

interface Link {
  upstream: string;
  cutLast(): void;
  stop(): void;
}

/** A line to the server, connections of which can be cut. */
async function startLink(port: number): Promise<Link> {
  const sockets: Socket[] = [];
  const listener = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    sockets.push(near);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    upstream: `xmpp://127.0.0.1:${(listener.address() as { port: number }).port}`,
    cutLast: () => void sockets.at(-1)?.destroy(),
    stop: () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

/** How often the server has refused a password of the proxy's. */
function refusals(log: readonly string[]): number {
  return log.filter((line) => line.includes('account stream could not be') && line.includes('"code":"refused"')).length;
}

async function changePassword(server: Server, user: string, newpass: string): Promise<void> {
  if (server.name === 'prosody') return await server.addUser(user, newpass);
  await callEjabberd(server.ports.api as number, 'change_password', { user, host: server.host, newpass });
}

/** The real JIDs that a room's owner sees of the occupant `al`, in its newest presence; none while it is not there. */
async function occupantJids(owner: Client, room: string): Promise<string[]> {
  const again = await joinRoom(owner, `${room}/bob`);
  const presence = again.occupants.find((one) => one.from === `${room}/al`);
  const items = presence?.child('x', ns.mucUser)?.elements.filter((one) => one.name === 'item') ?? [];
  return items.map((one) => one.attrs.jid ?? '');
}
