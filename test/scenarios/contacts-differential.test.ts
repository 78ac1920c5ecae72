/**
 * Contacts, one-to-one chat, carbons and offline messages, while the account is in a room: the same play straight at the
 * server and through the proxy, and everybody must hear the same.
 */
import type { Element } from '../support/element.ts';
import { createRoom, joinRoom, leaveRoom } from '../support/room.ts';
import { befriend } from './support/contacts.ts';
import { assert, type Client, type Stage, stages, type Target } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('contacts-differential', { limitMs: 60_000 });

for (const kind of ['account', 'borrowed'] as const) {
  for (const access of ['tcp', 'ws'] as const) {
    stage(
      'L9',
      `contacts and devices hear the same as without the proxy, ${kind} carrier, by ${access}`,
      async (scene) => {
        const proxy = await scene.proxy();
        const strong = scene.server.name === 'jabberd2' ? 'DIGEST-MD5' : 'SCRAM-SHA-1';
        const mechanism = kind === 'account' ? 'PLAIN' : strong;
        const straight = await play(scene, 'direct', scene.serverTarget(access), mechanism);
        const proxied = await play(scene, 'proxied', proxy.at(access), mechanism);
        for (const [index, step] of straight.entries()) assert.equal(proxied[index], step);
        assert.is(proxied.length, straight.length);
        assert.ok(straight.some(({ heard }) => heard.some((line) => line.includes('body=offline'))));
        if (kind === 'account') assert.is(Number(opened(await proxy.app.metrics.render())), 1);
      },
    );
  }
}

stage(
  'L3',
  "contacts see nothing of the account's own stream: at its opening, at probes, without devices, at its end",
  async (scene) => {
    const proxy = await scene.proxy({ config: { linger: '2s', leave: { grace: '0' } } });
    const room = scene.newRoom();
    const witness = await scene.direct('witness');
    await createRoom(witness, `${room}/witness`);
    const [first, bob] = [await scene.direct('alice'), await scene.direct('bob', { resource: 'one' })];
    await befriend(first, bob);
    await first.end();
    await bob.pick(`<presence type='unavailable' from='${first.jid}'/>`);
    const alice = await scene.login(proxy.at('tcp'), 'alice', { resource: 'desk' });
    await bob.expect(`<presence from='${alice.jid}'/>`);
    await joinRoom(alice, `${room}/al`);
    // Who logs in makes the server probe: bob's other device hears of the desk, and of nothing else.
    const other = await scene.direct('bob', { resource: 'two' });
    assert.equal(resourcesOf(await other.fence(), alice.bareJid), ['desk']);
    // jabberd2 tells all of bob's devices what one of them has made it ask.
    await bob.expectNothing({ except: [`<presence from='${alice.jid}'/>`] });
    await alice.end();
    for (const one of [bob, other]) await one.expect(`<presence type='unavailable' from='${alice.jid}'/>`);
    // Nobody is there but the account's own stream.
    assert.is(proxy.app.census().accounts, 1);
    const third = await scene.direct('bob', { resource: 'three' });
    assert.equal(resourcesOf(await third.fence(), alice.bareJid), []);
    await until('the account has left', () => proxy.app.census().accounts === 0);
    await until('its stream has ended', () => proxy.app.census().legs === 0);
    for (const one of [bob, other, third]) await one.expectNothing();
  },
);

stage.run();

interface Step {
  what: string;
  heard: string[];
}

/** Everything that happens between alice's two devices and bob, who is connected straight to the server. */
async function play(scene: Stage, label: string, target: Target, mechanism: string): Promise<Step[]> {
  const { server } = scene;
  const role = `alice-${label}`;
  const room = scene.newRoom();
  const bob = await scene.direct(`bob-${label}`, { resource: 'bob' });
  await createRoom(bob, `${room}/bob`);
  const first = await scene.direct(role, { resource: 'first' });
  await befriend(first, bob);
  await first.end();
  await bob.upTo(`<presence type='unavailable' from='${first.jid}'/>`);
  const alice = first.bareJid;
  const everybody: Client[] = [bob];
  const steps: Step[] = [];
  const write = (client: Client, one: Element): string =>
    `${client.resource}: ${describe(one)}`.replaceAll(alice, 'ALICE').replaceAll(bob.bareJid, 'BOB');
  const note = async (what: string): Promise<void> => {
    for (const client of everybody) await client.ping();
    for (const client of everybody) await client.ping();
    let heard: string[] = [];
    for (const client of everybody) for (const one of seen(client)) heard.push(write(client, one));
    // What answers a probe goes to all devices at jabberd2, also when the account's own stream has made the server probe.
    if (server.name === 'jabberd2') heard = heard.filter((line) => !/ presence .* delayed/.test(line));
    steps.push({ what, heard: heard.sort() });
  };
  const seen = watcher(server.mucDomain);
  const open = async (resource: string, presence: number): Promise<Client> => {
    const client = await scene.login(target, role, { resource, mechanism, presence });
    everybody.push(client);
    if (server.features.carbons) await client.iq(`<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>`);
    return client;
  };
  const chat = async (from: Client, to: string, body: string, type = 'chat'): Promise<void> => {
    from.send(`<message type='${type}' to='${to}' id='${body}'><body>${body}</body></message>`);
    await from.ping();
    await note(`${type} ${body}`);
  };

  const desk = await open('desk', 0);
  await note('the desk comes');
  await joinRoom(desk, `${room}/al`);
  await note('the desk joins');
  const phone = await open('phone', 5);
  if (server.features.sharedNick) await joinRoom(phone, `${room}/al`);
  await note('the phone comes');
  await chat(bob, alice, 'bare');
  await chat(bob, desk.jid, 'to-desk');
  await chat(bob, alice, 'news', 'headline');
  await chat(bob, alice, 'letter', 'normal');
  await chat(desk, bob.bareJid, 'from-desk');
  await chat(phone, desk.jid, 'between');
  phone.send('<presence><show>away</show><priority>-1</priority></presence>');
  await phone.ping();
  await note('the phone is away');
  await chat(bob, alice, 'bare-again');
  if (server.features.sharedNick) await leaveRoom(phone, `${room}/al`);
  await phone.end();
  everybody.splice(everybody.indexOf(phone), 1);
  await bob.ping();
  await note('the phone goes');
  await desk.end();
  everybody.splice(everybody.indexOf(desk), 1);
  await until('bob has heard that the desk has gone', async () => {
    await note('the desk goes');
    if (steps.at(-1)?.heard.length) return true;
    steps.pop();
    return false;
  });
  await chat(bob, alice, 'offline-one');
  await chat(bob, alice, 'offline-two', 'normal');
  await chat(bob, alice, 'lost-news', 'headline');
  await chat(bob, desk.jid, 'offline-full');
  await open('tablet', 0);
  await note('the tablet comes');
  return steps;
}

/** What has come to a client since it was asked last, apart from answers and from rooms. */
function watcher(mucDomain: string): (client: Client) => Element[] {
  const kept = new Map<Client, Element[]>();
  return (client) => {
    let list = kept.get(client);
    if (!list) {
      const created: Element[] = [];
      const { intercept } = client.stream;
      client.isNoise = () => false;
      client.stream.intercept = (element) => {
        if (intercept(element)) return true;
        const isOfRoom = element.from?.split('/')[0]?.endsWith(mucDomain) === true;
        if (element.name !== 'iq' && !isOfRoom) created.push(element);
        return false;
      };
      created.push(
        ...[...client.stream.inbox.pending, ...client.noise].filter(
          (one) => one.name !== 'iq' && !one.from?.includes(mucDomain),
        ),
      );
      kept.set(client, created);
      list = created;
    }
    return list.splice(0);
  };
}

/** Who says what to whom in which way; ids and times of the server are left out. */
function describe(one: Element): string {
  const words = [one.name, one.type ?? '', `from=${one.from}`, `to=${one.to}`];
  if (one.name === 'message') words.push(`id=${one.id}`);
  const body = one.child('body')?.text;
  if (body !== undefined) words.push(`body=${body}`);
  for (const name of ['show', 'priority']) {
    const child = one.child(name);
    if (child) words.push(`${name}=${child.text}`);
  }
  if (one.child('delay')) words.push('delayed');
  for (const way of ['sent', 'received']) {
    const inner = one.child(way, 'urn:xmpp:carbons:2')?.at('forwarded', 'message');
    if (inner) words.push(`${way} {${describe(inner)}}`);
  }
  return words.join(' ');
}

/** Resources of an account that are available. */
function resourcesOf(arrived: readonly Element[], bareJid: string): string[] {
  const from = arrived.filter((one) => one.name === 'presence' && one.type === undefined).map((one) => one.from ?? '');
  return from.filter((one) => one.startsWith(`${bareJid}/`)).map((one) => one.slice(bareJid.length + 1));
}

function opened(metrics: string): string {
  return /^minimix_account_streams_opened_total (\d+)/m.exec(metrics)?.[1] ?? '';
}
