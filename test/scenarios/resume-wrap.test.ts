/**
 * Counters of stream management wrap at 2^32 (XEP-0198 section 4). No test sends so many stanzas: between two nodes the record of a device that sleeps
 * is given counters that are about to wrap on the device's side, and the device goes on from the same.
 */
import { silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { resumeKey } from '../../proxy/runtime/recall.ts';
import { readRecord, type SessionRecord, writeRecord } from '../../proxy/runtime/session-record.ts';
import { createRedisStore } from '../../proxy/store/redis.ts';
import { settings } from '../core/world.ts';
import type { RedisServer } from '../servers/index.ts';
import { openDevice } from './support/device.ts';
import { shared, startNode } from './support/nodes.ts';
import { assert, joinRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { until, watch } from './support/witness.ts';

const scenario = scenarios('resume-wrap', { limitMs: 60_000, except: ['streamManagement', 'sameOnBoth'] });
const WRAP = 2 ** 32;
/** So many stanzas after the resumption the counters wrap. */
const LEFT = 2;

/** Counts of the device's streams: so many more. */
function moved({ legs, ...rest }: SessionRecord, fromDevice: number, toDevice: number): SessionRecord {
  const { counters } = legs.managed;
  const { fromClient, toServer, toClient } = counters;
  const ahead = <T>(what: T): T => (typeof what === 'number' ? ((what + fromDevice) as T) : what);
  const next = fromClient.next === undefined ? {} : { next: fromClient.next + fromDevice };
  return {
    ...rest,
    legs: {
      ...legs,
      managed: {
        ...legs.managed,
        counters: {
          ...counters,
          fromClient: { ...fromClient, handled: fromClient.handled + fromDevice, ...next },
          // What was relayed is named by its place among what the device has sent.
          toServer: { ...toServer, queue: toServer.queue.map(ahead) },
          toClient: { ...toClient, acknowledged: toClient.acknowledged + toDevice },
        },
      },
    },
  };
}

/** Waits for the record, and puts another in its place. */
async function change(scene: Scene, redis: RedisServer, name: string, by: (one: SessionRecord) => SessionRecord) {
  const target = { nodes: [{ host: '127.0.0.1', port: redis.port }], isCluster: false, tls: undefined };
  const store = createRedisStore({
    target: { ...target, username: undefined, password: undefined, database: 0 },
    prefix: 'test:',
    log: silentLog,
    metrics: createMetrics(),
  });
  scene.after(() => store.close());
  await store.connected();
  await until('the record', async () => (await store.hibernations.read(name)) !== undefined);
  const record = await store.hibernations.take(name);
  assert.ok(record);
  const state = writeRecord(by(readRecord(record.state, settings)), Date.now());
  await store.hibernations.put(name, { ...record, state }, 60_000);
}

scenario('S9', 'counters wrap at 2^32 in both directions, and nothing is lost, doubled or refused', async (scene) => {
  const { room } = scene;
  const redis = await shared(scene);
  const witness = await watch(scene);
  const first = await startNode(scene, redis);
  const device = await openDevice(scene, 'al', { through: first.proxy });
  await joinRoom(device.client, `${room}/al`);
  const { sm } = device.client;
  assert.ok(sm);
  await device.cut();
  const asleep = [await witness.say('asleep 1'), await witness.say('asleep 2')];
  const second = await startNode(scene, redis);
  await first.proxy.app.stop();
  const [fromDevice, toDevice] = [WRAP - LEFT - sm.outbound, WRAP - LEFT - sm.inbound];
  await change(scene, redis, resumeKey({ domain: scene.server.host, previd: sm.id }), (record) =>
    moved(record, fromDevice, toDevice),
  );
  device.countFrom(fromDevice, toDevice);

  const resumed = await device.resume({ target: second.proxy.target(scene.transport) });
  assert.ok(Number(resumed.attrs.h) >= WRAP - 100, resumed.print());
  const said: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    said.push(sayInRoom(device.client, room, `awake ${index}`));
    asleep.push(await witness.say(`heard ${index}`));
  }
  const last = await witness.say('last');
  await device.client.pick(`<message type='groupchat' id='${last}'/>`);
  await device.client.fence({ room });
  // It has wrapped on both sides, and all is acknowledged.
  assert.ok((device.client.sm?.inbound ?? WRAP) < 1000, `${device.client.sm?.inbound}`);
  await until('the acknowledgement of all that was said', () => {
    device.client.stream.send("<r xmlns='urn:xmpp:sm:3'/>");
    return device.unacknowledged.length === 0;
  });
  assert.ok((device.client.sm?.acked ?? WRAP) < 1000, `${device.client.sm?.acked}`);
  const heard = device.messages(({ type }) => type === 'groupchat').map(({ id }) => id);
  assert.equal(
    heard.filter((id) => asleep.includes(id ?? '')),
    asleep,
  );
  assert.equal(
    heard.filter((id) => said.includes(id ?? '')),
    said,
  );
  assert.is(second.proxy.app.census().sessions, 1);
});

scenario.run();
