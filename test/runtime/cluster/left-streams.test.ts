/** What is told of streams that a stopping node has left to the server. */
import { createOccupancy } from '../../../proxy/core/occupancy.ts';
import type { CarrierId, Occupancy } from '../../../proxy/core/state.ts';
import { silentLog } from '../../../proxy/ops/log.ts';
import { LeftStreams, roomsOn } from '../../../proxy/runtime/cluster/left-streams.ts';
import { createMemoryHibernations } from '../../../proxy/store/memory-hibernations.ts';
import { StoreError } from '../../../proxy/store/store.ts';
import { type BareKey, bareKey } from '../../../proxy/xml/address.ts';
import { settings } from '../../core/world.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('streams that were left to the server');

const account = bareKey('al@test') as BareKey;
const key = bareKey('room@muc.test') as BareKey;
const left = { resources: ['desk'], rooms: [{ key, name: 'room@muc.test', nick: 'al', password: undefined }] };

test('what was left is found by who looks, and taken once, until the server gives the streams up', async () => {
  let now = 0;
  const store = createMemoryHibernations(() => now);
  await new LeftStreams(store, silentLog).put(account, left, 1000);
  const [one, other] = [new LeftStreams(store, silentLog), new LeftStreams(store, silentLog)];
  assert.is(one.isKnown(account), false);
  await Promise.all([one.look(account), other.look(account)]);
  assert.equal([one.resources(account), other.resources(account)], [['desk'], ['desk']]);
  assert.equal(
    (await one.take(account))?.map(({ nick }) => nick),
    ['al'],
  );
  assert.is(await other.take(account), undefined);
  assert.equal([one.resources(account), other.resources(account)], [[], []]);
  await one.put(account, left, 1000);
  now = 1001;
  await other.look(account);
  assert.is(other.isKnown(account), false);
});

test('a store that is away stops neither a node that ends nor a client that comes', async () => {
  const away = async (): Promise<never> => {
    throw new StoreError('unavailable', 'away');
  };
  const streams = new LeftStreams({ put: away, read: away, take: away }, silentLog);
  await streams.put(account, left, 1000);
  await streams.look(account);
  assert.equal(streams.resources(account), []);
  assert.is(await streams.take(account), undefined);
});

test('a record that cannot be read is one that is not there: a client that comes is bound', async () => {
  const store = createMemoryHibernations(() => 0);
  const streams = new LeftStreams(store, silentLog);
  await streams.put(account, left, 1000);
  const record = { account, session: '', state: '{"resources":' };
  const broken = new LeftStreams({ ...store, read: async () => record, take: async () => record }, silentLog);
  await broken.look(account);
  assert.equal([broken.isKnown(account), broken.resources(account)], [false, []]);
  assert.is(await broken.take(account), undefined);
});

test('rooms that the stream does not carry, or that ask for a password, are not among those that are left', () => {
  const [mine, others] = ['c1', 'c2'] as CarrierId[];
  const room = (name: string, carrier: CarrierId | undefined, more: Partial<Occupancy> = {}): [BareKey, Occupancy] => {
    const one = createOccupancy(bareKey(name) as BareKey, name, 'al', settings);
    return [one.key, Object.assign(one, { phase: 'joined', carrier, ...more })];
  };
  const rooms = new Map([
    room('kept@muc.test', mine),
    room('locked@muc.test', mine, { password: 'secret' }),
    room('other@muc.test', others),
    room('leaving@muc.test', mine, { phase: 'leaving' }),
    room('lost@muc.test', undefined),
  ]);
  assert.equal(
    roomsOn({ rooms }, mine as CarrierId).map(({ name }) => name),
    ['kept@muc.test'],
  );
});

test.run();
