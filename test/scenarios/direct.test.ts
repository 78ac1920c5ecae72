/**
 * The test client straight at each server, without the proxy: proves the tools with which all other scenarios judge, and
 * that the servers still behave as those scenarios assume.
 */
import { type Access, type Server, serverNames, sharedServers } from '../servers/index.ts';
import { type Client, connect, type LoginOptions, login } from '../support/client.ts';
import { createRoom, joinRoom, leaveRoom, sayInRoom } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('direct');
const servers: Server[] = [];

test.before(async () => {
  servers.push(...(await sharedServers(serverNames)));
});
test.after(() => Promise.all(servers.map((server) => server.stop())));

for (const [index, name] of serverNames.entries()) {
  const check = (promise: string, body: (server: Server, after: TestContext['after']) => Promise<void>): void =>
    test(`${promise} [${name}]`, ({ after }) => body(servers[index] as Server, after));

  check('mechanisms are as the harness says, a wrong password is refused', async (server, after) => {
    const client = await connect(targetOf(server, 'tcp'), 'alice');
    after(() => client.end(1_000));
    const named = server.features.mechanisms.filter((one) => one !== 'legacy');
    assert.equal(client.mechanisms.filter((one) => !one.startsWith('SCRAM-SHA-512')).sort(), [...named].sort());
    for (const mechanism of named) {
      const error = await client
        .authenticate({ user: 'alice', password: 'wrong', mechanism })
        .catch((thrown) => thrown);
      assert.is(error.condition, 'not-authorized', mechanism);
    }
  });

  for (const access of ['tcp', 'starttls', 'tls', 'ws', 'wss'] as const) {
    check(`every mechanism logs in, by ${access}`, async (server) => {
      for (const mechanism of server.features.mechanisms) {
        const client = await login(targetOf(server, access), { user: 'alice', resource: 'desk', mechanism });
        assert.is(client.jid, 'alice@localhost/desk', mechanism);
        assert.ok((await client.end()).isClean, mechanism);
      }
    });
  }

  check('an account added while the server runs can log in', async (server) => {
    const user = `late-${unique()}`;
    await server.addUser(user, 'secret');
    const client = await login(targetOf(server, 'tcp'), { user, password: 'secret' });
    assert.is(client.bareJid, `${user}@localhost`);
    await client.end();
  });

  for (const access of ['tcp', 'ws'] as const) {
    check(`two accounts join, speak and leave, by ${access}`, async (server, after) => {
      const room = `direct-${unique()}@${server.mucDomain}`;
      const alice = await open(server, after, access, { user: 'alice' });
      const bob = await open(server, after, access, { user: 'bob' });

      const created = await createRoom(alice, `${room}/al`);
      assert.equal(created.self.codes, [110, 201]);
      assert.is(created.sequence.replaceAll('M', ''), server.features.closingSubject ? 'ST' : 'S');
      const joined = await joinRoom(bob, `${room}/bo`);
      assert.is(joined.sequence, server.features.closingSubject ? 'PST' : 'PS');
      assert.is(joined.occupants[0]?.from, `${room}/al`);
      await alice.expect(`<presence from='${room}/bo'><x xmlns='http://jabber.org/protocol/muc#user'/></presence>`);

      const id = sayInRoom(bob, room, 'hello');
      const said = `<message type='groupchat' id='${id}' from='${room}/bo'><body>hello</body></message>`;
      await bob.expect(said);
      await alice.expect(said);

      await leaveRoom(bob, `${room}/bo`);
      await alice.expect(`<presence type='unavailable' from='${room}/bo'/>`);
      await alice.expectNothing({ room });
      await bob.expectNothing();
    });
  }

  check('history comes behind the self-presence, in the order in which it was said', async (server, after) => {
    const room = `direct-${unique()}@${server.mucDomain}`;
    const alice = await open(server, after, 'tcp', { user: 'alice' });
    await createRoom(alice, `${room}/al`);
    for (const body of ['one', 'two', 'three']) sayInRoom(alice, room, body);
    await alice.fence({ room });
    const joined = await joinRoom(await open(server, after, 'ws', { user: 'bob' }), `${room}/bo`);
    assert.match(joined.sequence, /^PSHHHT?$/);
    assert.equal(
      joined.history.map((one) => one.child('body')?.text),
      ['one', 'two', 'three'],
    );
  });

  check('two sessions of one account share a nick, or are refused, as the harness says', async (server, after) => {
    const room = `direct-${unique()}@${server.mucDomain}`;
    const first = await open(server, after, 'tcp', { user: 'alice', resource: 'one' });
    const second = await open(server, after, 'tcp', { user: 'alice', resource: 'two' });
    await createRoom(first, `${room}/al`);
    const answer = await joinRoom(second, `${room}/al`).catch((error) => error);
    if (server.features.sharedNick) assert.is(answer.nick, 'al');
    else assert.is(answer.condition, 'conflict');
  });

  check(
    'a client that drops is gone from the room, one that closes ends its stream in good order',
    async (server, after) => {
      const room = `direct-${unique()}@${server.mucDomain}`;
      const alice = await open(server, after, 'tcp', { user: 'alice' });
      await createRoom(alice, `${room}/al`);
      for (const access of ['tcp', 'ws', 'tls', 'wss'] as const) {
        const bob = await open(server, after, access, { user: 'bob' });
        await joinRoom(bob, `${room}/bo`);
        await alice.expect(`<presence from='${room}/bo'/>`);
        await bob.drop();
        await alice.expect(`<presence type='unavailable' from='${room}/bo'/>`);
      }
      assert.ok((await alice.end()).isClean);
    },
  );

  check('a dropped session is resumed with what it has missed, where the server can', async (server, after) => {
    const alice = await open(server, after, 'tcp', { user: 'alice', resource: `sm-${unique()}` });
    if (!server.features.streamManagement) {
      assert.not.ok(alice.features.child('sm', 'urn:xmpp:sm:3'));
      return;
    }
    const bob = await open(server, after, 'tcp', { user: 'bob' });
    assert.is((await alice.enableSm()).name, 'enabled');
    await alice.drop();
    bob.send(`<message type='chat' to='${alice.jid}' id='missed'><body>hi</body></message>`);
    await bob.fence();
    const again = await connect(targetOf(server, 'ws'), 'alice');
    after(() => again.end(1_000));
    await again.authenticate({ user: 'alice' });
    assert.is((await again.resume(alice)).name, 'resumed');
    assert.is(again.jid, alice.jid);
    await again.pick(`<message type='chat' id='missed' from='${bob.jid}'><body>hi</body></message>`);
  });
}

test.run();

function targetOf({ ports, wsPath }: Server, access: Access) {
  const port = { tcp: ports.plain, starttls: ports.plain, tls: ports.tls, ws: ports.ws, wss: ports.wss }[access];
  return { access, port, path: wsPath };
}

async function open(
  server: Server,
  after: TestContext['after'],
  access: Access,
  options: LoginOptions,
): Promise<Client> {
  const client = await login(targetOf(server, access), { presence: 0, ...options });
  after(() => client.end(1_000));
  return client;
}

function unique(): string {
  return Math.random().toString(36).slice(2, 9);
}
