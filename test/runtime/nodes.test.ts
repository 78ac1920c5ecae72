/** An account on several nodes: what its sessions and the room see of that is nothing. */

import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { BARE, ROOM } from '../core/world.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { NodesWorld, type TestClient, type TestNode } from './nodes-world.ts';

const test = suite('an account on several nodes', { limitMs: 60_000 });

/** A world of so many nodes. */
async function nodes(count: number, { after }: TestContext, world = new NodesWorld()) {
  after(() => world.close());
  for (let index = 0; index < count; index += 1) await world.addNode();
  return { world, nodes: world.nodes as [TestNode, TestNode, TestNode] };
}

/** A client on each node, all of them in the room. */
async function joined(count: number, context: TestContext, options = {}) {
  const made = await nodes(count, context, new NodesWorld(options));
  const { world } = made;
  const clients: TestClient[] = [];
  for (const node of world.nodes) {
    const client = world.bind(node);
    await world.settle();
    client.join();
    await world.settle();
    clients.push(client);
  }
  for (const client of clients) assert.is(client.place, 'in');
  return { ...made, clients: clients as [TestClient, TestClient, TestClient] };
}

function noFault({ log }: NodesWorld): void {
  assert.equal(
    log.lines.filter(({ level }) => level === 'error'),
    [],
  );
}

test('J1: sessions on two nodes are one occupant, and each hears each message once', async (context) => {
  const { world, clients } = await joined(2, context);
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
  assert.is(world.homes.length, 1);
  const said = [world.roomSays(), world.roomSays()];
  for (const [index, client] of clients.entries()) {
    client.say(`from ${index}`);
    said.push(`from ${index}`);
    await world.settle();
  }
  for (const client of clients) assert.equal(client.heard, said);
  noFault(world);
});

test('what a room says costs one envelope for each other node, however many sessions are there', async (context) => {
  const { world, nodes: all } = await joined(3, context);
  const more = all.flatMap((node) => [world.bind(node), world.bind(node)]);
  await world.settle();
  for (const client of more) client.join();
  await world.settle(150);
  const [home] = world.homes;
  const others = all.filter((node) => node !== home);
  world.envelopes.length = 0;
  const began = performance.now();
  for (let count = 0; count < 10; count += 1) {
    world.roomSays();
    await world.settle();
  }
  for (const other of others) {
    const way = `${home?.node.id} ${other.node.id} data`;
    assert.is(world.envelopes.filter((one) => one === way).length, 10);
  }
  await world.settle(150);
  // Ten times a second at most.
  const words = others.length * (1 + Math.ceil((performance.now() - began) / 100));
  assert.ok(world.envelopes.length <= 10 * others.length + words, 'and some word now and then of what was taken');
  noFault(world);
});

test('what a device on another node than the home says as it goes offline is said in a room that its stream has to leave', async (context) => {
  const { world, nodes: both } = await nodes(2, context, new NodesWorld({ isShared: false }));
  const [atHome, elsewhere] = both.map((node) => world.bind(node)) as [TestClient, TestClient];
  await world.settle();
  elsewhere.join();
  await world.settle();
  assert.equal(world.homes, [both[0]]);
  assert.equal([...world.room.inside.keys()], [elsewhere.jid]);
  const leaves: (string | undefined)[] = [];
  const take = world.room.take.bind(world.room);
  world.room.take = (from, stanza, now) => {
    if (stanza.type === 'unavailable') leaves.push(stanza.root.child('status')?.text());
    return take(from, stanza, now);
  };
  const farewell = parseStanza(`<presence type='unavailable'><status>off</status></presence>`);
  const { id: session } = elsewhere;
  elsewhere.account.input({ kind: 'session-presence', session, available: false, show: '', priority: 0, farewell });
  await world.settle();
  assert.equal(leaves, ['off']);
  assert.equal([...world.room.inside.keys()], [atHome.jid]);
  noFault(world);
});

test('J5: a device on another node than the home that joins under another nick is answered, and so it is when it is refused', async (context) => {
  const { world, nodes: both, clients } = await joined(2, context);
  const [atHome, elsewhere] = clients;
  assert.equal(world.homes, [both[0]]);
  const take = world.room.take.bind(world.room);
  world.room.take = (from, stanza, now) => {
    if (stanza.to !== `${ROOM}/bob`) return take(from, stanza, now);
    const error = `<error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error>`;
    return [
      {
        to: from,
        xml: `<presence type='error' from='${stanza.to}' to='${from}' id='${stanza.id}'>${error}</presence>`,
      },
    ];
  };
  for (const nick of ['ally', 'bob', 'al']) {
    elsewhere.join(nick);
    await world.settle();
    assert.equal([...world.room.inside.values()], [nick === 'bob' ? 'ally' : nick]);
    // What its node keeps for another home is done with.
    assert.equal([...(both[1].account?.mirror.unanswered.joins() ?? [])], []);
  }
  assert.is(elsewhere.errors, 1);
  assert.is(elsewhere.place, 'in');
  const said = world.roomSays();
  await world.settle();
  for (const client of [atHome, elsewhere]) assert.is(client.heard.at(-1), said);
  noFault(world);
});

test('J6: joins that race on two nodes are one join', async (context) => {
  const { world, nodes: both } = await nodes(2, context);
  const clients = both.map((node) => world.bind(node));
  for (const client of clients) client.join();
  await world.settle();
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
  for (const client of clients) assert.is(client.place, 'in');
  noFault(world);
});

test('what is said right behind a join goes to the room, whichever node the home is', async (context) => {
  const { world, nodes: both } = await nodes(2, context);
  const [first, second] = both.map((node) => world.bind(node)) as [TestClient, TestClient];
  await world.settle();
  for (const client of [second, first]) {
    client.join();
    client.say(`behind ${client.jid}`);
  }
  await world.settle();
  assert.equal(world.said.length, 2);
  noFault(world);
});

test('L9: a hand-over to a session on another node shows the room nothing, and the home goes with the carrier', async (context) => {
  const { world, clients, nodes: both } = await joined(2, context);
  const [a, b] = clients;
  a.drop();
  const said = [world.roomSays(), world.roomSays()];
  await world.settle(200);
  said.push(world.roomSays());
  b.say('mine');
  said.push('mine');
  await world.settle(50);
  assert.equal(b.heard, said);
  assert.is(world.room.witnessed, '+');
  assert.equal([...world.room.inside.keys()], [b.jid]);
  assert.equal(world.homes, [both[1]]);
  assert.is(both[0].account, undefined, 'nothing is left on the first node');
  noFault(world);
});

for (const lingerMs of [0, 50]) {
  test(`L3: linger ${lingerMs}: when the last sessions go, on two nodes, the account leaves and nothing stays`, async (context) => {
    const { world, clients, nodes: both } = await joined(2, context, { settings: { lingerMs } });
    for (const client of clients) {
      client.drop();
      await world.breathe();
    }
    await world.settle(400);
    assert.is(world.room.witnessed, '+-');
    for (const { account } of both) assert.is(account, undefined);
    noFault(world);
  });
}

test('how a service takes a nick that streams share all nodes of the account know when one has found it out', async (context) => {
  for (const isShared of [true, false]) {
    const { world, nodes: all, clients } = await joined(3, context, { isShared });
    const more = world.bind(all[0]);
    await world.settle();
    more.join();
    await world.settle();
    clients[0].drop();
    await world.settle(100);
    const facts = all.map(({ account }) => account?.deps.services.facts('muc.test'));
    for (const one of facts) {
      assert.is((one?.nickSharedUntil ?? 0) > world.now, isShared);
      assert.is((one?.nickRefusedUntil ?? 0) > world.now, !isShared);
    }
  }
});

test('a session that has left, on another node than the home, hears no more', async (context) => {
  const { world, clients } = await joined(2, context);
  const [a, b] = clients;
  b.leave();
  await world.settle();
  assert.is(b.place, 'out');
  const said = world.roomSays();
  await world.settle();
  assert.equal([a.heard, b.heard], [[said], []]);
  assert.is(world.room.witnessed, '+');
  b.join();
  await world.settle();
  assert.is(b.place, 'in');
  noFault(world);
});

test('M9a: a device that floods a congested stream of another node is told to rest, and to go on', async (context) => {
  const { world, clients } = await joined(2, context);
  const [a, b] = clients;
  assert.ok(world.room.inside.has(a.jid));
  a.isCongested = true;
  for (let index = 0; index < 60; index += 1) b.say(`${index} ${'x'.repeat(1000)}`);
  await world.settle();
  assert.equal([a.isResting, b.isResting], [false, true]);
  assert.equal(world.said, []);
  a.isCongested = false;
  a.outlet.drain();
  await world.settle();
  assert.is(b.isResting, false);
  assert.equal(
    world.said.map((body) => Number(body.split(' ')[0])),
    Array.from({ length: 60 }, (_, index) => index),
  );
  noFault(world);
});

test('C4: a node that stops hands over first: the room sees nothing, nobody misses anything', async (context) => {
  const { world, clients, nodes: all } = await joined(3, context);
  const [, b, c] = clients;
  const home = world.homes[0] as TestNode;
  assert.is(home, all[0]);
  const said = [world.roomSays()];
  await world.stop(home);
  said.push(world.roomSays());
  await world.settle(100);
  for (const client of [b, c]) assert.equal(client.heard, said);
  assert.is(world.room.witnessed, '+');
  assert.is(world.room.inside.size, 1);
  assert.is(world.homes.length, 1);
  await world.stop(world.homes[0] as TestNode);
  said.push(world.roomSays());
  await world.settle(100);
  const last = [b, c].find(({ isGone }) => !isGone);
  assert.equal(last?.heard, said);
  assert.is(world.room.witnessed, '+');
  noFault(world);
});

test('C2: the home is killed: the others go on, hear all and nothing twice', async (context) => {
  const { world, clients, nodes: all } = await joined(3, context);
  const [, b, c] = clients;
  world.tell(world.room.other('carl', true));
  const said = [world.roomSays()];
  await world.settle();
  await world.kill(all[0]);
  // Nobody of the account is there to see this.
  world.tell(world.room.other('carl', false));
  world.tell(world.room.other('dora', true));
  said.push(world.roomSays());
  await world.settle(400);
  said.push(world.roomSays());
  await world.settle();
  for (const client of [b, c]) {
    assert.is(client.place, 'in');
    assert.equal(client.heard, said);
    assert.equal([...client.sees], ['bob', 'dora']);
  }
  assert.is(world.homes.length, 1);
  assert.is(world.room.inside.size, 1);
  noFault(world);
});

test('M4: what the lost home had taken and the room has not shown gets an error; what the room has shown does not', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context);
  const [a, b] = clients;
  assert.ok(world.room.inside.has(a.jid), 'the lost home has the carrier');
  b.say('shown');
  await world.settle();
  b.say('taken');
  // It is at the home, and no further than its stream.
  while (!world.up.get(a.jid)?.some((stanza) => `${stanza}`.includes('taken'))) {
    world.busOnly();
    await world.breathe();
  }
  // And the other node has been told that it is.
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (let count = 0; count < 10; count += 1) {
    world.busOnly();
    await world.breathe();
  }
  world.up.delete(a.jid);
  await world.kill(all[0]);
  await world.settle(400);
  assert.equal(b.heard, ['shown']);
  assert.is(b.errors, 1);
  assert.is(b.told.at(-1)?.id, 'taken');
  noFault(world);
});

test('M4: a request is answered once when the home is lost: by the room where that home had not taken it, else by an error', async (context) => {
  for (const isTaken of [true, false]) {
    const { world, clients, nodes: all } = await joined(2, context);
    const [a, b] = clients;
    const ask = (): void => b.says(`<iq type='get' id='what' to='${ROOM}'><query xmlns='jabber:iq:version'/></iq>`);
    if (isTaken) {
      ask();
      while (!world.up.get(a.jid)?.some((stanza) => `${stanza}`.includes('jabber:iq:version'))) {
        world.busOnly();
        await world.breathe();
      }
      await new Promise((resolve) => setTimeout(resolve, 150));
      for (let count = 0; count < 10; count += 1) {
        world.busOnly();
        await world.breathe();
      }
      world.up.delete(a.jid);
    }
    const killed = world.kill(all[0]);
    if (!isTaken) ask();
    await killed;
    await world.settle(400);
    const answers = b.told.filter(({ name, id }) => name === 'iq' && id === 'what');
    assert.equal(
      answers.map(({ type }) => type),
      [isTaken ? 'error' : 'result'],
    );
    noFault(world);
  }
});

test('push: a device on another node that goes to sleep while a message is on its way there is told of it', async (context) => {
  const { world, clients } = await joined(2, context);
  const [atHome, elsewhere] = clients;
  const nudges: (string | undefined)[] = [];
  const take = world.room.take.bind(world.room);
  world.room.take = (from, stanza, now) => {
    if (stanza.to !== elsewhere.jid) return take(from, stanza, now);
    nudges.push(stanza.root.child('body')?.text());
    return [];
  };
  elsewhere.account.input({ kind: 'session-push', session: elsewhere.id, enabled: true });
  await world.settle();
  const heard = world.roomSays();
  await world.settle();
  const late = world.roomSays();
  // The home has heard it, and sent it on.
  while (atHome.heard.at(-1) !== late) world.arrive(1);
  assert.is(elsewhere.heard.at(-1), heard);
  elsewhere.account.input({ kind: 'session-hibernates', session: elsewhere.id, isDeaf: false });
  await world.settle();
  assert.equal(nudges, [late]);
  noFault(world);
});

test('what a session that is gone has asked is not kept for the next home', async (context) => {
  const { world, clients } = await joined(2, context);
  const [, b] = clients;
  const { account } = b.node;
  b.says(`<iq type='get' id='what' to='${ROOM}/bob'><query xmlns='jabber:iq:version'/></iq>`);
  assert.ok(account?.mirror.unanswered.hasRequests);
  b.drop();
  assert.not.ok(account?.mirror.unanswered.hasRequests);
  await world.settle();
  noFault(world);
});

test('C2: a node that is not the home is killed: its sessions are gone, the rest notices nothing', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context);
  const [a] = clients;
  await world.kill(all[1]);
  const said = world.roomSays();
  await world.settle();
  assert.equal(a.heard, [said]);
  assert.is(world.room.witnessed, '+');
  assert.equal([...(all[0].account?.state?.sessions.keys() ?? [])], [a.id]);
  noFault(world);
});

test('the home is killed while the carrier is elsewhere: the room sees nothing at all', async (context) => {
  const { world, nodes: all } = await nodes(3, context);
  const [home, carrier, other] = all.map((node) => world.bind(node)) as [TestClient, TestClient, TestClient];
  await world.settle();
  carrier.join();
  await world.settle();
  for (const client of [home, other]) client.join();
  await world.settle();
  assert.equal([...world.room.inside.keys()].length, 1);
  const inside = world.clients.find(({ jid }) => world.room.inside.has(jid));
  const at = world.homes[0] as TestNode;
  if (inside?.node === at) return;
  await world.kill(at);
  const said = world.roomSays();
  await world.settle(400);
  assert.is(world.room.witnessed, '+');
  for (const client of world.clients) if (!client.isGone) assert.equal(client.heard.slice(-1), [said]);
  noFault(world);
});

test('C3: the store is away: sessions at home go on, the others wait; on return nothing is lost or doubled', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context);
  const [a, b] = clients;
  for (const node of all) node.isCut = true;
  const said = [world.roomSays()];
  await world.settle();
  assert.equal(a.heard, said);
  assert.equal(b.heard, []);
  a.say('from a');
  said.push('from a');
  await world.settle();
  assert.equal(a.heard, said);
  b.say('from b');
  await world.settle();
  for (const node of all) node.isCut = false;
  await Promise.all(all.map(({ node }) => node.beat()));
  await world.settle(600);
  said.push('from b');
  assert.equal(a.heard, said);
  assert.equal(b.heard, said);
  assert.is(world.room.witnessed, '+');
  noFault(world);
});

test('C3: when all were cut off until they were dead to the store, who comes back first waits for the home', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context, { lifeMs: 1000 });
  const [a, b] = clients;
  const home = world.homes[0] as TestNode;
  const other = all.find((node) => node !== home) as TestNode;
  assert.is(a.node, home);
  for (const node of all) node.isCut = true;
  for (const { node } of all) await node.beat();
  const said = ['one', 'two', 'three'];
  for (const body of said) b.say(body);
  world.storeMs += 2000;
  await world.settle(1100);
  other.isCut = false;
  await other.node.beat();
  await world.settle(200);
  assert.equal(world.homes, [home]);
  home.isCut = false;
  await home.node.beat();
  await world.settle(1500);
  assert.equal(a.heard, said);
  assert.equal(b.heard, said);
  assert.is(world.room.witnessed, '+');
  assert.is(world.homes.length, 1);
  noFault(world);
});

test('a claim that was left behind where nothing of the account is does not keep others out', async (context) => {
  const { world, nodes: both } = await nodes(2, context);
  await world.store.homes.claim(BARE, both[0].node.id, 3_600_000);
  const client = world.bind(both[1]);
  client.join();
  // A busy machine takes longer for the questions that this asks of the other node.
  for (let tries = 0; client.place !== 'in' && tries < 20; tries += 1) await world.settle(150);
  assert.is(client.place, 'in');
  assert.equal(world.homes, [both[1]]);
  noFault(world);
});

test('C5: a home that stood still until it was taken for dead gives way, and its sessions lose nothing', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context, { lifeMs: 300 });
  const [a, b] = clients;
  const still = world.homes[0] as TestNode;
  // It does not beat: the others find it dead.
  still.isCut = true;
  world.storeMs += 400;
  for (const node of all) if (node !== still) await node.node.beat();
  await new Promise((resolve) => setTimeout(resolve, 350));
  still.isCut = false;
  const said = [world.roomSays()];
  await world.settle(900);
  for (const { node } of all) await node.beat();
  await world.settle(600);
  said.push(world.roomSays());
  await world.settle();
  for (const client of [a, b]) {
    assert.is(client.place, 'in');
    assert.equal(client.heard, said);
  }
  assert.is(world.homes.length, 1);
  assert.is(world.room.inside.size, 1);
  noFault(world);
});

test('C5: a home that stood still sends nothing before it has looked, and then what others have left to be sent', async (context) => {
  const { world, clients, nodes: all } = await joined(2, context, { lifeMs: 300 });
  const [a, b] = clients;
  const still = world.homes[0] as TestNode;
  const other = all.find((node) => node !== still) as TestNode;
  assert.ok(world.room.inside.has(a.jid));
  still.isStill = true;
  await new Promise((resolve) => setTimeout(resolve, 350));
  a.say('mine');
  assert.equal(world.up.get(a.jid) ?? [], [], 'nothing is sent');
  const said = [world.roomSays()];
  while (world.arrive());
  assert.equal(a.heard, [], 'nothing is handled');
  world.storeMs += 400;
  await other.node.beat();
  await world.settle(400);
  assert.ok(world.homes.includes(other), 'the other has taken over');
  assert.equal(b.heard, said);
  still.isStill = false;
  await world.settle(600);
  assert.equal(world.homes, [other]);
  said.push('mine');
  for (const client of [a, b]) assert.equal(client.heard, said);
  assert.equal(world.said, ['mine']);
  assert.is(world.room.inside.size, 1);
  assert.is(world.room.witnessed, '+');
  noFault(world);
});

test.run();
