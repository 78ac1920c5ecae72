/**
 * HAProxy and nginx with their samples in front of two nodes (C1, C3, C4, S1), on Redis with its sample; the server with its own.
 * What the rooms see is told by an occupant that is connected straight to the server.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { type Client, joinRoom, leaveRoom, login, type Target } from '../scenarios/support/scenario.ts';
import { heardOnce, heardUpTo, said, watch } from '../scenarios/support/witness.ts';
import { until } from '../servers/process.ts';
import { sayInRoom } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { type Balancer, type Node, type Place, startPlace } from './balanced.ts';
import { type SampledServer, startSampledEjabberd, startSampledProsody, startSampledRedis } from './servers.ts';

type Way = 'starttls' | 'tls' | 'wss';

const ways: readonly Way[] = ['starttls', 'tls', 'wss'];

const starters = { prosody: startSampledProsody, ejabberd: startSampledEjabberd };

/** Registers and runs the suite of one server. */
export function playBalancers(serverName: 'prosody' | 'ejabberd'): void {
  const test = suite(`balancers in front of ${serverName}`, { limitMs: 60_000, hookLimitMs: 90_000 });
  let server: SampledServer;
  let redis: Awaited<ReturnType<typeof startSampledRedis>>;
  let place: Place;

  test.before(async () => {
    [server, redis] = await Promise.all([starters[serverName](), startSampledRedis()]);
    place = await startPlace(`xmpp://127.0.0.1:${server.port}`, redis.url, server.takesProxy);
  });
  test.after(async () => {
    await place?.stop();
    await Promise.all([server?.stop(), redis?.stop()]);
  });

  const balancer = (name: Balancer['name']): Balancer => place.balancers.find((one) => one.name === name) as Balancer;
  const begin = (context: TestContext, balancerName: Balancer['name'], mechanism: string) =>
    beginScene(context, server, balancer(balancerName), mechanism);

  for (const [name, mechanism] of [
    ['haproxy', 'PLAIN'],
    ['nginx', 'SCRAM-SHA-1'],
  ] as const) {
    test(`C1 ${name}: devices that come by STARTTLS, direct TLS and WebSocket are spread over the nodes and are one occupant`, async (context) => {
      const { witness, room, device } = await begin(context, name, mechanism);
      const devices: Client[] = [];
      for (const way of [...ways, ...ways]) devices.push(await device(way));
      await sessionsAre(place.nodes, devices.length);
      for (const node of place.nodes) assert.ok((await node.metric('minimix_sessions')) >= 2, node.address);
      const addresses = place.nodes.flatMap((node) => node.clientAddresses());
      assert.ok(addresses.length >= devices.length);
      // S4: the clients' own, not that of the balancer.
      for (const address of addresses) assert.is(address, '127.0.0.1');
      for (const one of devices) await joinRoom(one, `${room}/al`);
      assert.equal(await witness.sees(), ['+al']);
      const id = await witness.say('for all');
      await Promise.all(devices.map((one) => one.expect(said(room, 'witness', id, one.jid))));
      for (const one of devices) await heardOnce(devices, room, 'al', sayInRoom(one, room, 'from one'));
      for (const one of devices) await leaveRoom(one, `${room}/al`);
    });

    test(`S2 ${name}: browsers are told where the endpoint is, and get nothing else`, async () => {
      const { web } = balancer(name).ports;
      const meta = await get(web, '/.well-known/host-meta.json');
      assert.is(meta.status, 200);
      assert.match(meta.body, `wss://localhost:${web}/xmpp-websocket`);
      for (const path of ['/', '/metrics', '/healthz']) assert.is((await get(web, path)).status, 404, path);
    });

    test(`C4 ${name}: a node is stopped and comes back: its devices go to the other one, the room sees nothing, who stays hears all`, async (context) => {
      const { witness, room, device } = await begin(context, name, mechanism);
      const [first, second] = place.nodes;
      const devices = await Promise.all(
        ['starttls', 'tls', 'wss'].flatMap((way) => [device(way as Way), device(way as Way)]),
      );
      for (const one of devices) await joinRoom(one, `${room}/al`);
      assert.equal(await witness.sees(), ['+al']);
      const ids: string[] = [];
      const begun = performance.now();
      const isStaying = await whichStay(
        devices,
        () => first.stop(),
        async () => {
          ids.push(await witness.say(`message ${ids.length}`));
        },
      );
      assert.ok(performance.now() - begun < 15_000, 'it did not wait in vain until drain.timeout');
      const staying = devices.filter((one) => isStaying(one));
      assert.ok(staying.length > 0 && staying.length < devices.length, `${staying.length} stay`);
      // As their clients do, those who were sent away come back at once: whichever way, to the node that is left.
      const back = await Promise.all(ways.map((way) => device(way)));
      await sessionsAre([second], staying.length + back.length);
      const last = await witness.say('last');
      for (const one of staying) assert.equal(await heardUpTo(one, room, last), [...ids, last]);
      for (const one of back) await joinRoom(one, `${room}/al`, { history: "maxstanzas='0'" });
      assert.equal(await witness.sees(), []);

      await first.start();
      const late = await landsOn(first, () => device('starttls'), name);
      await joinRoom(late, `${room}/al`, { history: "maxstanzas='0'" });
      const all = [...staying, ...back, late];
      await heardOnce(all, room, 'al', sayInRoom(late, room, 'from the node that is back'));
      assert.equal(await witness.sees(), []);
    });
  }

  test('C4 haproxy: a node set to drain gets no new client and keeps those it has', async (context) => {
    const { device } = await begin(context, 'haproxy', 'PLAIN');
    const { command } = balancer('haproxy');
    const [first, second] = place.nodes;
    const set = async (state: 'drain' | 'ready'): Promise<void> => {
      for (const backend of ['nodes_starttls', 'nodes_tls', 'nodes_websocket'])
        assert.is(await command(`set server ${backend}/node1 state ${state}`), '');
    };
    const early = [await device('starttls'), await device('starttls')];
    await sessionsAre(place.nodes, early.length);
    const before = await first.metric('minimix_sessions');
    await set('drain');
    context.after(() => set('ready'));
    const others = await second.metric('minimix_sessions');
    for (const way of ways) early.push(await device(way));
    assert.is(await first.metric('minimix_sessions'), before);
    assert.is(await second.metric('minimix_sessions'), others + ways.length);
    for (const one of early) await one.ping();
  });

  test('C3 Redis away: both nodes say so, haproxy lets clients in all the same, and all is well when it is back', async (context) => {
    const { witness, room, device } = await begin(context, 'haproxy', 'PLAIN');
    const devices = [await device('starttls'), await device('starttls')];
    for (const one of devices) await joinRoom(one, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await redis.daemon().stop();
    for (const node of place.nodes)
      await until(`${node.address} to say so`, 10_000, async () => (await node.ready()) === 503);
    await until('haproxy to know', 10_000, async () => {
      const states = await balancer('haproxy').command('show stat -1 2 -1');
      return states.split('\n').some((line) => /^nodes_starttls,BACKEND/.test(line) && line.includes(',DOWN,'));
    });
    const late = await device('tls');
    late.send(`<message to='${witness.client.jid}' type='chat' id='hello'><body>hello</body></message>`);
    await witness.client.pick(`<message type='chat' from='${late.jid}' id='hello'/>`, { limitMs: 15_000 });
    await redis.restart();
    for (const node of place.nodes)
      await until(`${node.address} to be ready`, 20_000, async () => (await node.ready()) === 200);
    await joinRoom(late, `${room}/al`, { history: "maxstanzas='0'", limitMs: 35_000 });
    const id = sayInRoom(late, room, 'back');
    for (const one of [...devices, late]) {
      // Where two nodes were home for a moment a repeated presence is no difference; a repeated message is.
      await one.upTo(said(room, 'al', id, one.jid), { limitMs: 15_000 });
      const behind = await one.fence({ room });
      assert.not.ok(behind.some(({ name }) => name === 'message'));
    }
    assert.equal(await witness.sees(), []);
  });

  test.run();
}

/** A witness in a room of its own, and how devices of one more account come through the balancer. */
async function beginScene(context: TestContext, server: SampledServer, { ports }: Balancer, mechanism: string) {
  const tag = randomBytes(4).toString('hex');
  const clients: Client[] = [];
  context.after(() => Promise.all(clients.map((one) => one.end(1000))));
  const open = async (user: string, target: Target, how: string): Promise<Client> => {
    const client = await login(target, { user, presence: 0, mechanism: how });
    clients.push(client);
    return client;
  };
  const users = [`alice-${tag}`, `witness-${tag}`] as const;
  for (const user of users) await server.addUser(user);
  const room = `room-${tag}@${server.mucDomain}`;
  const by = await open(users[1], { access: 'tcp', port: server.directPort }, 'PLAIN');
  const witness = await watch({ room, direct: async () => by });
  const portOf = { starttls: ports.starttls, tls: ports.tls, wss: ports.web };
  const device = (way: Way): Promise<Client> => open(users[0], { access: way, port: portOf[way] }, mechanism);
  return { witness, room, device };
}

/** A request by HTTPS, whatever the certificate. */
function get(port: number, path: string): Promise<{ status: number | undefined; body: string }> {
  const where = {
    host: '127.0.0.1',
    port,
    path,
    headers: { host: `localhost:${port}` },
    rejectUnauthorized: false,
    agent: false,
  };
  return new Promise((resolve, reject) => {
    request(where, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    })
      .on('error', reject)
      .end();
  });
}

/** Waits until the nodes have so many sessions: those of the test before have gone. */
function sessionsAre(nodes: readonly Node[], wanted: number): Promise<void> {
  return until(`${wanted} sessions`, 10_000, async () => {
    const counts = await Promise.all(nodes.map((node) => node.metric('minimix_sessions')));
    return counts.reduce((sum, one) => sum + one, 0) === wanted;
  });
}

/** Logs in until the balancer chooses this node, which has no session yet; the other logins end. */
async function landsOn(node: Node, device: () => Promise<Client>, balancer: string): Promise<Client> {
  let landed: Client | undefined;
  await until(`${balancer} to use the node again`, 20_000, async () => {
    const one = await device();
    if ((await node.metric('minimix_sessions')) > 0) landed = one;
    else await one.end();
    return landed !== undefined;
  });
  return landed as Client;
}

/** Does `work` again and again until `ending` has ended, and tells which of the clients are connected still. */
async function whichStay(
  clients: readonly Client[],
  ending: () => Promise<void>,
  work: () => Promise<void>,
): Promise<(client: Client) => boolean> {
  let isOver = false;
  const ended = ending().then(() => {
    isOver = true;
  });
  while (!isOver) await work();
  await ended;
  const staying = new Set<Client>();
  for (const one of clients) if (!one.stream.isClosed) staying.add(one);
  return (client) => staying.has(client);
}
