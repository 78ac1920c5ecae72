/** The archive of a room that has none (`archive: on`): announced to joined sessions, and served from what the account has heard. */
import {
  assert,
  type Client,
  createRoom,
  type Element,
  joinRoom,
  ns,
  type RoomConfig,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';

const scenario = scenarios('archive', { together: 3 });
const mam = 'urn:xmpp:mam:2';
const sid = 'urn:xmpp:sid:0';
const rsm = 'http://jabber.org/protocol/rsm';
const on = { config: { archive: 'on' } };

/** How a room is made to have no archive; mu-conference's have none. */
function without({ server }: Scene): RoomConfig {
  if (server.name === 'jabberd2') return {};
  return server.name === 'prosody' ? { enablearchiving: '0' } : { mam: '0' };
}

async function featuresOf(client: Client, room: string): Promise<(string | undefined)[]> {
  const info = await client.iq(`<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`);
  const { elements = [] } = info.child('query') ?? {};
  return elements.filter(({ name }) => name === 'feature').map(({ attrs }) => attrs.var);
}

interface Answer {
  results: Element[];
  bodies: (string | undefined)[];
  ids: (string | undefined)[];
  fin: Element | undefined;
}

let serial = 0;

/** Puts a query, and takes the answer with all that comes before it. */
async function query(client: Client, room: string, inner = ''): Promise<Answer> {
  serial += 1;
  const queryid = `q${serial}`;
  client.send(
    `<iq type='set' id='${queryid}' to='${room}'><query xmlns='${mam}' queryid='${queryid}'>${inner}</query></iq>`,
  );
  const all = await client.upTo(`<iq type='{any}' id='${queryid}'/>`);
  const last = all.at(-1) as Element;
  if (last.type === 'error') throw new Error(last.child('error')?.elements[0]?.name);
  const results = all.filter((one) => one.child('result', mam)?.attrs.queryid === queryid);
  return {
    results,
    bodies: results.map((one) => one.at('result', 'forwarded', 'message', 'body')?.text),
    ids: results.map((one) => one.child('result')?.attrs.id),
    fin: last.child('fin', mam),
  };
}

const page = (inner: string): string => `<set xmlns='${rsm}'>${inner}</set>`;

function form(fields: Record<string, string>): string {
  const all = Object.entries({ FORM_TYPE: mam, ...fields });
  const written = all.map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`);
  return `<x xmlns='${ns.data}' type='submit'>${written.join('')}</x>`;
}

/** A room without an archive, in which bob has said the first of these before alice's devices came, and the rest since. */
async function archived(scene: Scene, texts: string[]): Promise<{ bob: Client; phone: Client; desk: Client }> {
  const { room, login, direct } = scene;
  const bob = await direct('bob');
  await createRoom(bob, `${room}/bo`, without(scene));
  const phone = await login('alice', { device: 'phone' });
  const desk = await login('alice', { device: 'desk' });
  for (const [index, text] of texts.entries()) {
    if (index === 1) for (const device of [phone, desk]) await joinRoom(device, `${room}/al`);
    const id = sayInRoom(bob, room, text);
    await bob.upTo(`<message type='groupchat' id='${id}'/>`);
  }
  await phone.fence({ room });
  return { bob, phone, desk };
}

scenario(
  'J12',
  'a room without an archive announces one to sessions that have joined, and answers them in pages',
  async (scene) => {
    const { room } = scene;
    const { phone, desk } = await archived(scene, ['one', 'two', 'three', 'four', 'five']);
    const features = await featuresOf(phone, room);
    for (const name of [mam, `${mam}#extended`, sid]) assert.is(features.filter((one) => one === name).length, 1, name);

    const all = await query(phone, room);
    assert.equal(all.bodies, ['one', 'two', 'three', 'four', 'five']);
    assert.is(all.fin?.attrs.complete, 'true');
    assert.is(new Set(all.ids).size, 5);
    const [first] = all.results;
    assert.equal([first?.from, first?.to], [room, phone.jid]);
    const forwarded = first?.at('result', 'forwarded');
    assert.ok(Math.abs(Date.parse(forwarded?.child('delay', ns.delay)?.attrs.stamp ?? '') - Date.now()) < 60_000);
    const said = forwarded?.child('message', ns.client);
    assert.equal([said?.from, said?.to, said?.type], [`${room}/bo`, undefined, 'groupchat']);
    assert.not.ok(said?.child('delay'));

    const head = await query(desk, room, page('<max>2</max>'));
    assert.equal([head.bodies, head.fin?.attrs.complete], [['one', 'two'], undefined]);
    assert.equal(head.ids, all.ids.slice(0, 2), 'one archive for all devices');
    const set = head.fin?.child('set', rsm);
    assert.equal(
      [
        set?.child('first')?.text,
        set?.child('first')?.attrs.index,
        set?.child('last')?.text,
        set?.child('count')?.text,
      ],
      [all.ids[0], '0', all.ids[1], '5'],
    );
    const next = await query(desk, room, page(`<max>3</max><after>${all.ids[1]}</after>`));
    assert.equal([next.bodies, next.fin?.attrs.complete], [['three', 'four', 'five'], 'true']);
    const end = await query(desk, room, page('<max>2</max><before/>'));
    assert.equal([end.bodies, end.fin?.attrs.complete], [['four', 'five'], undefined]);
    const before = await query(desk, room, `${page(`<max>9</max><before>${end.ids[0]}</before>`)}<flip-page/>`);
    assert.equal([before.bodies, before.fin?.attrs.complete], [['three', 'two', 'one'], 'true']);
    const index = await query(desk, room, page('<max>2</max><index>3</index>'));
    assert.equal(index.bodies, ['four', 'five']);
    for (const device of [phone, desk]) await device.expectNothing({ room });
  },
  on,
);

scenario(
  'J12',
  'such an archive filters by occupant, time and ids, tells where it begins, and knows no other ids',
  async (scene) => {
    const { room } = scene;
    const { phone } = await archived(scene, ['one', 'two']);
    const id = sayInRoom(phone, room, 'mine');
    await phone.pick(`<message type='groupchat' id='${id}'/>`);
    const { ids } = await query(phone, room);
    const [one = '', two = '', mine = ''] = ids as string[];
    const ask = async (fields: Record<string, string>) => (await query(phone, room, form(fields))).bodies;
    assert.equal(await ask({ with: `${room}/al` }), ['mine']);
    assert.equal(await ask({ with: `${room}/bo` }), ['one', 'two']);
    assert.equal(await ask({ start: new Date(Date.now() + 60_000).toISOString() }), []);
    assert.equal(await ask({ end: '2001-01-01T00:00:00Z' }), []);
    assert.equal(await ask({ start: '2001-01-01T00:00:00Z', 'before-id': mine }), ['one', 'two']);
    assert.equal(await ask({ 'after-id': one }), ['two', 'mine']);
    assert.equal(await ask({ ids: two }), ['two']);
    for (const unknown of [page('<after>nobody</after>'), page('<before>nobody</before>'), form({ ids: 'nobody' })]) {
      const asked = await query(phone, room, unknown).catch((error: Error) => error.message);
      assert.is(asked, 'item-not-found');
    }
    assert.is(
      await query(phone, room, form({ fulltext: 'x' })).catch((error: Error) => error.message),
      'feature-not-implemented',
    );
    const fields = await phone.iq(`<iq type='get' to='${room}'><query xmlns='${mam}'/></iq>`);
    const names = fields.at('query', 'x')?.elements.map((field) => field.attrs.var);
    assert.equal(names, ['FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'ids']);
    const ends = (await phone.iq(`<iq type='get' to='${room}'><metadata xmlns='${mam}'/></iq>`)).child('metadata', mam);
    assert.equal([ends?.child('start')?.attrs.id, ends?.child('end')?.attrs.id], [one, mine]);
    await phone.expectNothing({ room });
  },
  on,
);

scenario(
  'J12',
  'messages of such a room carry ids that its archive knows, live and as history, and none that an occupant has written',
  async (scene) => {
    const { room, login } = scene;
    const { bob, phone, desk } = await archived(scene, ['one', 'two']);
    for (const device of [phone, desk]) await device.fence({ room });
    const forged = `<stanza-id xmlns='${sid}' by='${room}' id='forged'/>`;
    bob.send(`<message type='groupchat' to='${room}' id='f'><body>three</body>${forged}</message>`);
    bob.send(`<message type='groupchat' to='${room}' id='same'><body>twice</body></message>`);
    bob.send(`<message type='groupchat' to='${room}' id='same'><body>twice</body></message>`);
    bob.send(
      `<message type='groupchat' to='${room}' id='c'><composing xmlns='http://jabber.org/protocol/chatstates'/>${forged}</message>`,
    );
    const idsOf = (one: Element) => one.elements.filter(({ name }) => name === 'stanza-id').map(({ attrs }) => attrs);
    const heard: Record<string, string | undefined>[][][] = [];
    for (const device of [phone, desk]) {
      const live = (await device.upTo(`<message type='groupchat' id='c'/>`)).filter(({ type }) => type === 'groupchat');
      heard.push(live.map(idsOf));
    }
    const [phones, desks] = heard;
    assert.equal(phones, desks);
    assert.equal(phones?.at(-1), [], 'what is not kept has no id');
    const live = phones?.flat().map(({ by, id }) => [by, id]) ?? [];
    const { ids, bodies } = await query(phone, room);
    assert.equal(bodies, ['one', 'two', 'three', 'twice', 'twice']);
    assert.is(new Set(ids).size, 5);
    assert.not.ok(ids.includes('forged'));
    assert.equal(
      live,
      ids.slice(2).map((id) => [room, id]),
    );
    const later = await joinRoom(await login('alice', { device: 'later' }), `${room}/al`);
    assert.equal(
      later.history.map((one) => idsOf(one).map(({ id }) => id)),
      ids.map((id) => [id]),
    );
  },
  on,
);

scenario(
  'J12',
  'what a device says of a message by its id in such an archive, and others by the id that they know, finds it on each side',
  async (scene) => {
    const { room, login } = scene;
    const { bob, phone, desk } = await archived(scene, ['one', 'two']);
    for (const device of [phone, desk]) await device.fence({ room });
    bob.send(`<message type='groupchat' to='${room}' id='before'><body>three</body></message>`);
    bob.send(`<message type='groupchat' to='${room}' id='bobs'><body>four</body></message>`);
    const [, heard] = await phone.upTo(`<message type='groupchat' id='bobs'/>`);
    const given = heard?.child('stanza-id', sid)?.attrs.id ?? '';
    assert.match(given, /^minimix-/);
    const references = (id: string) => [
      `<reactions xmlns='urn:xmpp:reactions:0' id='${id}'><reaction>+1</reaction></reactions><store xmlns='urn:xmpp:hints'/>`,
      `<reply xmlns='urn:xmpp:reply:0' to='${room}/bo' id='${id}'/><body>so it is</body>`,
      `<displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/>`,
    ];
    for (const [index, inner] of references(given).entries()) {
      phone.send(`<message type='groupchat' to='${room}' id='p${index}'>${inner}</message>`);
      const [seen] = (await bob.upTo(`<message type='groupchat' id='p${index}'/>`)).slice(-1);
      assert.is(seen?.elements[0]?.attrs.id, 'bobs', seen?.print());
      for (const device of [phone, desk]) {
        const back = await device.pick(`<message type='groupchat' id='p${index}'/>`);
        assert.is(back.elements[0]?.attrs.id, given, back.print());
      }
    }
    for (const [index, inner] of references('bobs').entries()) {
      bob.send(`<message type='groupchat' to='${room}' id='b${index}'>${inner}</message>`);
      for (const device of [phone, desk]) {
        const told = await device.pick(`<message type='groupchat' id='b${index}'/>`);
        assert.is(told.elements[0]?.attrs.id, given, told.print());
      }
    }
    const mine = sayInRoom(phone, room, 'my secret');
    const said = await phone.pick(`<message type='groupchat' id='${mine}'/>`);
    const retract = `<retract xmlns='urn:xmpp:message-retract:1' id='${said.child('stanza-id', sid)?.attrs.id}'/>`;
    desk.send(`<message type='groupchat' to='${room}' id='r'><body>took it back</body>${retract}</message>`);
    const [told] = (await bob.upTo(`<message type='groupchat' id='r'/>`)).slice(-1);
    assert.is(told?.child('retract')?.attrs.id, mine);
    await desk.fence({ room });
    const later = await joinRoom(await login('alice', { device: 'later' }), `${room}/al`);
    assert.not.match(later.all.map((one) => one.print()).join(''), 'my secret');
    const replies = later.history.filter((one) => one.child('reply')).map((one) => one.child('reply')?.attrs.id);
    assert.equal(replies, [given, given]);
    const { results, ids } = await query(phone, room);
    assert.is(new Set(ids).size, ids.length);
    assert.match(results.map((one) => one.print()).join(''), `id='${given}'`);
  },
  on,
);

scenario(
  'J12',
  'what was taken back is a tombstone in such an archive too',
  async (scene) => {
    const { room } = scene;
    const { bob, phone } = await archived(scene, ['one']);
    for (const device of [phone]) await joinRoom(device, `${room}/al`);
    bob.send(`<message type='groupchat' to='${room}' id='s'><body>my secret</body></message>`);
    const retract = `<retract xmlns='urn:xmpp:message-retract:1' id='s'/>`;
    bob.send(`<message type='groupchat' to='${room}' id='r'><body>took it back</body>${retract}</message>`);
    await phone.upTo(`<message type='groupchat' id='r'/>`);
    const { results, bodies } = await query(phone, room);
    assert.equal(bodies, ['one', undefined, 'took it back']);
    assert.not.match(results.map((one) => one.print()).join(''), 'my secret');
  },
  on,
);

scenario(
  'J12',
  'a room shows no hash of what it can do that its archive is no part of, and the one of its own where it has one',
  async (scene) => {
    const { room, newRoom, login, direct } = scene;
    const own = newRoom();
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`, without(scene));
    await createRoom(bob, `${own}/bo`);
    const hashes = async (device: Client, name: string): Promise<number[]> => {
      const shown = (await joinRoom(device, `${name}/al`)).all.filter(({ from }) => from === name);
      const presences = shown.filter((one) => one.name === 'presence');
      return presences.map((one) => one.elements.filter((child) => child.name === 'c').length);
    };
    for (const name of ['phone', 'desk']) {
      const device = await login('alice', { device: name });
      device.isNoise = () => false;
      assert.equal(await hashes(device, room), [0]);
      assert.equal(await hashes(device, own), [1]);
    }
  },
  { ...on, except: ['roomCapabilities'] },
);

scenario(
  'M5',
  'a room that has an archive is asked itself, and who has not joined is told of no other',
  async (scene) => {
    const { room, newRoom, login, direct } = scene;
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    const phone = await login('alice', { device: 'phone' });
    const joined = await joinRoom(phone, `${room}/al`);
    const id = sayInRoom(bob, room, 'one');
    const live = await phone.pick(`<message type='groupchat' id='${id}'/>`);
    assert.equal([joined.nick, (await query(phone, room)).ids], ['al', [live.child('stanza-id', sid)?.attrs.id]]);
    assert.is((await featuresOf(phone, room)).filter((one) => one === mam).length, 1);
    const bare = newRoom();
    await createRoom(bob, `${bare}/bo`, without(scene));
    await joinRoom(phone, `${bare}/al`);
    const stranger = await login('alice', { device: 'stranger' });
    assert.not.ok((await featuresOf(stranger, bare)).includes(mam));
    assert.ok((await featuresOf(phone, bare)).includes(mam));
  },
  { ...on, except: ['archive'] },
);

scenario('M5', 'without `archive: on` a room that has no archive has none', async (scene) => {
  const { room } = scene;
  const { phone } = await archived(scene, ['one', 'two']);
  assert.not.ok((await featuresOf(phone, room)).includes(mam));
  const last = await joinRoom(phone, `${room}/al`);
  assert.not.ok(last.history.at(-1)?.child('stanza-id', sid));
});

scenario.run();
