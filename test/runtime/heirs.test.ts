/** A node that stops and has accounts without devices (C4): who goes on with them, and what the room sees. */
import { randomBytes } from 'node:crypto';
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { ModelRoom } from '../core/model-room.ts';
import { type Client, login } from '../support/client.ts';
import { type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { joinRoom } from '../support/room.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('accounts without devices, as their node stops', { limitMs: 30_000 });

const ROOM = 'room@muc.test';

interface Ground {
  readonly room: ModelRoom;
  /** A node; without a key it seals and opens nothing. */
  start(key?: string): Promise<TestProxy>;
  /** A device of the account joins by way of this node, and goes. */
  visit(node: TestProxy): Promise<void>;
}

async function ground({ after }: TestContext): Promise<Ground> {
  const room = new ModelRoom({ room: ROOM, isShared: true });
  const store = createMemoryStore({ now: () => performance.now() });
  const server: FakeServer = await startFakeServer({
    answer: (element, peer) => {
      if (!element.to?.startsWith(ROOM)) return undefined;
      const stanza = parseStanza(`${element}`);
      if (!room.inside.has(peer.jid)) void peer.closed.then(() => room.gone(peer.jid));
      for (const { to, xml } of room.take(peer.jid, stanza, Date.now())) {
        server.peers.find(({ jid }) => jid === to)?.send(xml);
      }
      return '';
    },
  });
  after(() => server.stop());
  const start = async (key?: string): Promise<TestProxy> => {
    const sealing = key === undefined ? {} : { sealing: { 'secret-key': key } };
    const config = { cluster: { lease: '1s' }, drain: { timeout: '5s' }, ...sealing };
    const node = await startProxy({ upstream: server.upstream, store, config });
    after(() => node.stop());
    return node;
  };
  const visit = async (node: TestProxy): Promise<void> => {
    const client: Client = await login(node.target('tcp'), { user: 'alice', mechanism: 'PLAIN', presence: 0 });
    await joinRoom(client, `${ROOM}/alice`);
    await client.end(1000);
    await until('the device has gone', () => node.app.census().sessions === 0);
    assert.equal([...room.inside.values()], ['alice']);
  };
  return { room, start, visit };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !holds(); ) {
    if (performance.now() > end) throw new Error(`in vain was waited until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Heartbeats, of which there are four in a lease, tell of those that came later. */
function acquainted(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 600));
}

const rooms = ({ app }: TestProxy): number => app.census().occupancies;

test('another node that has the key goes on: the room sees nothing', async (context) => {
  const { room, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const [first, second] = [await start(key), await start(key)];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+');
  assert.is(rooms(second), 1);
  assert.is(room.inside.size, 1);
  assert.match(await second.app.metrics.render(), 'minimix_handovers_total{result="seamless"} 1');
});

test('with another key nobody does: the account leaves, and is back with the next node that can', async (context) => {
  const { room, start, visit } = await ground(context);
  const key = randomBytes(32).toString('base64');
  const [first, other] = [await start(key), await start(randomBytes(32).toString('base64'))];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+-');
  assert.is(rooms(other), 0);
  const next = await start(`${randomBytes(32).toString('base64')} ${key}`);
  await until('it is back', () => room.witnessed === '+-+');
  await until('it is known', () => rooms(next) === 1);
});

test('without keys it leaves for good', async (context) => {
  const { room, start, visit } = await ground(context);
  const [first, other] = [await start(), await start()];
  await acquainted();
  await visit(first);
  await first.stop();
  assert.is(room.witnessed, '+-');
  assert.is(rooms(other), 0);
});

test.run();
