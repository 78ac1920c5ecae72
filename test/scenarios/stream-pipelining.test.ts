/** What a client sends without waiting is taken in its order, and nothing of it is lost or taken too early. */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createRoom } from '../support/room.ts';
import { assert, ns, stages, type Target } from './support/stage.ts';

const stage = stages('stream-pipelining');

const header = `<stream:stream to='localhost' version='1.0' xmlns='${ns.client}' xmlns:stream='${ns.streams}'>`;
const binding = `<iq type='set' id='bind'><bind xmlns='${ns.bind}'><resource>quick</resource></bind></iq>`;

stage('S3', 'what is to follow the binding may come with it: presence, join, message, leave', async (scene) => {
  const proxy = await scene.proxy({ certificate: scene.server.certificate });
  const name = await scene.user('alice');
  const jid = `${name}@localhost/quick`;
  for (const access of ['tcp', 'tls', 'ws'] as const) {
    const room = scene.newRoom();
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const alice = await scene.connect(proxy.at(access), (client) => client.authenticate({ user: name }));
    const stanzas = [
      `<presence/>`,
      `<presence to='${room}/al'><x xmlns='${ns.muc}'/></presence>`,
      `<message type='groupchat' to='${room}' id='in'><body>quick</body></message>`,
      `<message type='chat' to='${bob.jid}' id='one'><body>quick</body></message>`,
      `<presence to='${room}/al' type='unavailable'/>`,
    ];
    if (alice.stream.isWebSocket) for (const xml of [binding, ...stanzas]) alice.send(xml);
    else alice.sendRaw([binding, ...stanzas].join(''));
    await alice.pick(`<presence type='unavailable' from='${room}/al' to='${jid}'/>`);
    // What went by the session's own stream need not wait for the room.
    const all = [
      `<presence from='${room}/al'/>`,
      `<message type='groupchat' from='${room}/al' id='in'><body>quick</body></message>`,
      `<message type='chat' from='${jid}' id='one'/>`,
    ];
    for (const one of all) await bob.pick(one);
    await alice.end();
    await bob.end();
  }
});

stage('S3', 'a whole session in one write, and the same byte by byte', async (scene) => {
  const proxy = await scene.proxy({ certificate: scene.server.certificate });
  const bob = await scene.direct('bob');
  const name = await scene.user('alice');
  const message = `<message type='chat' to='${bob.jid}' id='all'><body>\u{1f40c}</body></message>`;
  const text = `${header}${auth(name)}${header}${binding}${message}</stream:stream>`;
  for (const access of ['tcp', 'tls'] as const) {
    for (const size of [undefined, 1]) {
      const answer = await tell(proxy.at(access), text, size);
      assert.ok(answer.trimEnd().endsWith('</stream:stream>'), answer.slice(-200));
      assert.not.match(answer, '<stream:error');
      await bob.expect(`<message type='chat' from='${name}@localhost/quick' id='all'><body>\u{1f40c}</body></message>`);
    }
  }
});

stage('X2', 'what stands behind <starttls/> in plain text is never taken for what comes inside TLS', async (scene) => {
  const proxy = await scene.proxy({ certificate: scene.server.certificate });
  const bob = await scene.direct('bob');
  const name = await scene.user('alice');
  const { port } = proxy.at('starttls');
  const injected = `${header}${auth(name)}`;
  const socket = connectTcp({ port, host: '127.0.0.1' });
  scene.after(() => socket.destroy());
  socket.write(`${header}<starttls xmlns='${ns.tls}'/>${injected}`);
  const first = await readUntil(socket, '<proceed');
  if (first.includes('<proceed')) {
    const inside = connectTls({ socket, rejectUnauthorized: false });
    // Whoever is let on has to say everything anew: not one byte of before counts.
    inside.write(header);
    assert.not.match(await readUntil(inside, '</stream:features>'), '<success');
  }
  await bob.expectNothing();
});

stage('S3', 'inside TLS a client need not wait either', async (scene) => {
  const proxy = await scene.proxy({ certificate: scene.server.certificate });
  const bob = await scene.direct('bob');
  const name = await scene.user('alice');
  const client = await scene.connect(proxy.at('starttls'));
  const message = `<message type='chat' to='${bob.jid}' id='quick'/>`;
  client.sendRaw(`${auth(name)}${header}${binding}${message}`);
  await bob.expect(`<message type='chat' from='${name}@localhost/quick' id='quick'/>`);
});

stage.run();

function auth(user: string): string {
  const plain = Buffer.from(`\0${user}\0${user}`).toString('base64');
  return `<auth xmlns='${ns.sasl}' mechanism='PLAIN'>${plain}</auth>`;
}

/** Writes the text, in pieces of `size` bytes where that is given, and returns all that comes until the connection is closed. */
async function tell({ access, port }: Target, text: string, size?: number): Promise<string> {
  const options: ConnectionOptions = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const socket = access === 'tls' ? connectTls(options) : connectTcp({ port, host: '127.0.0.1', noDelay: true });
  const bytes = Buffer.from(text);
  const write = async (): Promise<void> => {
    if (size === undefined) socket.write(bytes);
    for (let at = 0; size !== undefined && at < bytes.length; at += size) {
      socket.write(bytes.subarray(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const [answer] = await Promise.all([readUntil(socket, undefined), write()]);
  return answer;
}

function readUntil(socket: Socket, mark: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    const onData = (more: string): void => {
      text += more;
      if (mark === undefined || !text.includes(mark)) return;
      socket.removeListener('data', onData);
      resolve(text);
    };
    socket.on('data', onData);
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
  });
}
