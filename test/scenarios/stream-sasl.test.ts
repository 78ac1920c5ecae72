/** Authentication as it passes through (S5, S5a, S7): the server's own mechanisms, and nobody becomes somebody else. */
import type { ConfigFile } from '../support/proxy.ts';
import { createRoom, joinRoom } from '../support/room.ts';
import { accesses, assert, LoginError, ns, type Stage, stages } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('stream-sasl', { limitMs: 60_000 });
/** ejabberd, as packaged, keeps passwords in a form that is of no use for XEP-0078. */
const withLegacy = ['prosody', 'jabberd2'] as const;

stage('S5', "the mechanisms are the server's own in its order, without those bound to a TLS channel", async (scene) => {
  const { server, proxy: start, serverTarget } = scene;
  for (const upstream of accesses) {
    const straight = await scene.connect(serverTarget(upstream));
    const wanted = straight.mechanisms.filter((name) => !name.endsWith('-PLUS'));
    const proxy = await start({ access: upstream, certificate: server.certificate });
    for (const access of accesses) {
      const client = await scene.connect(proxy.at(access));
      assert.equal(client.mechanisms, wanted, `${access} over ${upstream}`);
      await client.end();
    }
    await straight.end();
  }
});

stage('S5', 'every mechanism logs in, and the server proves itself where the mechanism has it do so', async (scene) => {
  const { server } = scene;
  const proxy = await scene.proxy({ certificate: server.certificate });
  for (const access of accesses) {
    for (const mechanism of server.features.mechanisms.filter((one) => one !== 'legacy')) {
      // The test client throws when the signature in <success/> (SCRAM) or rspauth (DIGEST-MD5) is not right.
      const client = await scene.login(proxy.at(access), 'alice', { mechanism, resource: mechanism });
      assert.is(client.resource, mechanism, access);
      await client.end();
    }
  }
});

stage(
  'S5',
  'a wrong password is refused by the server, and the right one may follow on the same stream',
  async (scene) => {
    const proxy = await scene.proxy();
    const user = await scene.user('alice');
    for (const access of ['tcp', 'ws'] as const) {
      for (const mechanism of scene.server.features.mechanisms.filter((one) => one !== 'legacy')) {
        const client = await scene.connect(proxy.at(access), async (client) => {
          for (const password of ['wrong', `${user}x`, '']) {
            // A server may call an empty password malformed.
            const wanted = password === '' ? ['not-authorized', 'malformed-request'] : ['not-authorized'];
            const refusal = await refusalOf(client.authenticate({ user, password, mechanism }));
            assert.ok(wanted.includes(refusal), `${mechanism} "${password}": ${refusal}`);
          }
          await client.authenticate({ user, mechanism });
          await client.bind();
        });
        assert.is(client.bareJid, `${user}@localhost`);
        await client.end();
      }
    }
  },
);

stage(
  'S5',
  'the channel binding flag "y" passes over an upstream without TLS',
  async (scene) => {
    const proxy = await scene.proxy({ certificate: scene.server.certificate });
    for (const access of accesses) {
      const client = await scene.login(proxy.at(access), 'alice', { mechanism: 'SCRAM-SHA-1', gs2: 'y' });
      await client.end();
    }
    // jabberd2 has no SCRAM.
  },
  { on: ['prosody', 'ejabberd'] },
);

stage('S5', 'without TLS an untrusted listener takes no password', async (scene) => {
  const { server } = scene;
  const address = '127.0.0.1:0';
  const certificate = { cert: server.certificate.cert, key: server.certificate.key };
  const proxy = await scene.proxy({
    config: {
      listeners: [
        { kind: 'tcp', address, tls: 'none', trusted: false },
        { kind: 'websocket', address, tls: 'none', trusted: false },
        { kind: 'tcp', address, tls: 'starttls', trusted: false },
      ],
      hosts: { localhost: { upstream: server.upstream(), certificate } },
    },
  });
  const user = await scene.user('alice');
  const strong = server.features.mechanisms.find((one) => one !== 'PLAIN' && one !== 'legacy') as string;
  for (const access of ['tcp', 'ws'] as const) {
    await scene.connect(proxy.at(access), async (client) => {
      assert.not.ok(client.mechanisms.includes('PLAIN'), access);
      assert.not.ok(client.features.child('auth', 'http://jabber.org/features/iq-auth'), access);
      assert.is(await refusalOf(client.authenticate({ user })), 'encryption-required', access);
      const login = `<username>${user}</username><password>${user}</password><resource>r</resource>`;
      const error = await client.iqError(`<iq type='set'><query xmlns='${ns.legacyAuth}'>${login}</query></iq>`);
      assert.is(error.condition, 'not-acceptable');
      await client.authenticate({ user, mechanism: strong });
      await client.bind();
    });
  }
  // With STARTTLS at hand nothing goes on before it.
  const { access: _, ...target } = proxy.at('starttls');
  await scene.connect({ ...target, access: 'tcp' }, async (client) => {
    assert.equal(client.mechanisms, []);
    assert.ok(client.features.child('starttls', ns.tls)?.child('required'));
    assert.is(await refusalOf(client.authenticate({ user })), 'encryption-required');
    await client.startTls();
    assert.ok(client.mechanisms.includes('PLAIN'));
    await client.login({ user });
  });
});

stage('S5', 'plain-only: PLAIN alone is offered and taken, and the account gets a stream of its own', async (scene) => {
  const { newRoom } = scene;
  const proxy = await scene.proxy({ config: { sasl: { mode: 'plain-only' } }, certificate: scene.server.certificate });
  const room = newRoom();
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  const user = await scene.user('alice');
  for (const access of accesses) {
    const client = await scene.connect(proxy.at(access), async (client) => {
      assert.equal(client.mechanisms, ['PLAIN'], access);
      for (const mechanism of ['SCRAM-SHA-1', 'DIGEST-MD5']) {
        assert.is(await refusalOf(client.authenticate({ user, mechanism })), 'invalid-mechanism', access);
      }
      await client.login({ user, presence: 0 });
    });
    await joinRoom(client, `${room}/al`);
  }
  await until('the account stream carries the room', async () => {
    const text = await proxy.app.metrics.render();
    return /carriers\{kind="account-stream"\} 1/.test(text);
  });
});

stage(
  'S6',
  'legacy authentication logs in and binds, by every kind of listener; the session is in rooms as any other',
  async (scene) => {
    const { room, proxy, bob, user } = await legacyScene(scene, {});
    for (const access of accesses) {
      const resource = `old-${access}`;
      const wrong = await scene
        .login(proxy.at(access), 'alice', { mechanism: 'legacy', password: 'wrong', resource })
        .catch((error: unknown) => error);
      assert.instance(wrong, Error, access);
      const client = await scene.login(proxy.at(access), 'alice', { mechanism: 'legacy', resource });
      bob.send(`<message type='chat' to='${user}@localhost/${resource}' id='${access}'><body>hi</body></message>`);
      await client.pick(`<message type='chat' id='${access}' to='${user}@localhost/${resource}'/>`);
      await joinRoom(client, `${room}/al`);
      bob.send(`<message type='groupchat' to='${room}' id='r-${access}'><body>hi</body></message>`);
      await client.pick(`<message type='groupchat' id='r-${access}' to='${client.jid}'/>`);
    }
    assert.is(proxy.app.census().accounts, 1);
  },
  { on: withLegacy },
);

stage(
  'S6',
  'with plain-only a legacy login shows its password, and the account gets a stream of its own',
  async (scene) => {
    const { room, proxy } = await legacyScene(scene, { sasl: { mode: 'plain-only' } });
    for (const access of accesses) {
      const client = await scene.login(proxy.at(access), 'alice', { mechanism: 'legacy', resource: `old-${access}` });
      await joinRoom(client, `${room}/al`);
    }
    await until('the account stream carries the room', async () => {
      const text = await proxy.app.metrics.render();
      return /carriers\{kind="account-stream"\} 1/.test(text);
    });
  },
  { on: withLegacy },
);

stage('S5a', "another identity than one's own is refused, whatever the server thinks of it", async (scene) => {
  const proxy = await scene.proxy();
  const [alice, bob] = [await scene.user('alice'), await scene.user('bob')];
  const foreign = [bob, `${bob}@localhost`, `${alice}@other.example`, `${alice}x`, '@', 'localhost'];
  for (const access of ['tcp', 'ws'] as const) {
    for (const mechanism of scene.server.features.mechanisms.filter((one) => one !== 'legacy')) {
      const client = await scene.connect(proxy.at(access), async (client) => {
        for (const authzid of foreign) {
          const refusal = await refusalOf(client.authenticate({ user: alice, mechanism, authzid }));
          assert.is(refusal, 'invalid-authzid', `${mechanism} ${authzid}`);
        }
        await client.authenticate({ user: alice, mechanism });
        await client.bind();
      });
      assert.is(client.bareJid, `${alice}@localhost`);
      await client.end();
    }
  }
});

stage('S5a', "one's own identity, said once more, is accepted", async (scene) => {
  const proxy = await scene.proxy();
  const user = await scene.user('alice');
  for (const access of ['tcp', 'ws'] as const) {
    for (const mechanism of scene.server.features.mechanisms.filter((one) => one !== 'legacy')) {
      const client = await scene.login(proxy.at(access), 'alice', { mechanism, authzid: `${user}@localhost` });
      assert.is(client.bareJid, `${user}@localhost`, mechanism);
      await client.end();
    }
  }
});

stage(
  'S7',
  'a session is who the server has bound, however the client wrote its name',
  async (scene) => {
    const proxy = await scene.proxy();
    const room = scene.newRoom();
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const user = await scene.user('alice');
    const first = await scene.login(proxy.at('tcp'), 'alice');
    const shouted = await scene.login(proxy.at('ws'), 'alice', { user: user.toUpperCase(), password: user });
    // ejabberd tells it as it was asked for, and means the same account.
    assert.is(shouted.bareJid.toLowerCase(), `${user}@localhost`);
    await joinRoom(first, `${room}/al`);
    await bob.expect(`<presence from='${room}/al'/>`);
    await joinRoom(shouted, `${room}/al`);
    await bob.expectNothing({ room });
    assert.is(proxy.app.census().accounts, 1);
    // jabberd2 takes names in lower case only.
  },
  { on: ['prosody', 'ejabberd'] },
);

stage('S7', 'a resource that the server changes is the one that the client is told and reached by', async (scene) => {
  const proxy = await scene.proxy();
  const room = scene.newRoom();
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  for (const access of ['tcp', 'ws'] as const) {
    const asked = `one\u00a0two \u2163 /${access}`;
    const alice = await scene.login(proxy.at(access), 'alice', { resource: asked });
    // ejabberd changes it too, and does not tell.
    if (scene.server.name !== 'ejabberd') assert.is.not(alice.resource, asked);
    bob.send(`<message type='chat' to='${alice.jid}' id='${access}'><body>hi</body></message>`);
    await alice.pick(`<message type='chat' id='${access}' to='${alice.jid}'/>`);
    await joinRoom(alice, `${room}/al`);
    const id = `room-${access}`;
    bob.send(`<message type='groupchat' to='${room}' id='${id}'><body>hi</body></message>`);
    await alice.pick(`<message type='groupchat' id='${id}' to='${alice.jid}'/>`);
  }
});

stage(
  'S7',
  'a client that comes back while its old connection still carries rooms gets another resource, and the room sees nothing',
  async (scene) => {
    const proxy = await scene.proxy();
    const room = scene.newRoom();
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const options = { resource: 'phone', mechanism: 'SCRAM-SHA-1' };
    const old = await scene.login(proxy.at('tcp'), 'alice', options);
    await joinRoom(old, `${room}/al`);
    await bob.expect(`<presence from='${room}/al'/>`);
    const again = await scene.login(proxy.at('ws'), 'alice', options);
    assert.match(again.resource, /^phone-/);
    const { error, isClean } = await old.closed;
    assert.ok(error?.child('conflict'));
    assert.ok(isClean);
    await joinRoom(again, `${room}/al`);
    bob.send(`<message type='groupchat' to='${room}' id='there'><body>still there?</body></message>`);
    await again.pick(`<message type='groupchat' id='there' to='${again.jid}'/>`);
    // A hand-over may show the occupant anew; it shows no leave.
    const seen = (await bob.fence({ room })).filter((one) => one.name === 'presence' && one.type !== undefined);
    assert.equal(seen, []);
  },
  // mu-conference refuses a shared nick: binding the same resource is what clears the ghost there.
  { on: ['prosody', 'ejabberd'] },
);

stage('S7', 'a client that comes back without rooms gets the resource it asks for', async (scene) => {
  const proxy = await scene.proxy();
  for (const access of ['tcp', 'ws'] as const) {
    const resource = `phone-${access}`;
    const old = await scene.login(proxy.at(access), 'alice', { resource });
    const again = await scene.login(proxy.at(access), 'alice', { resource });
    assert.is(again.resource, resource);
    assert.ok((await old.closed).error?.child('conflict'));
  }
});

stage.run();

async function legacyScene(scene: Stage, config: ConfigFile) {
  const proxy = await scene.proxy({ certificate: scene.server.certificate, config });
  const room = scene.newRoom();
  const bob = await scene.direct('bob');
  await createRoom(bob, `${room}/bob`);
  return { proxy, room, bob, user: await scene.user('alice') };
}

/** Condition of the failure that a login must meet. */
async function refusalOf(login: Promise<void>): Promise<string> {
  const error = await login.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LoginError) return error.condition;
  throw error ?? new Error('the login was to be refused');
}
