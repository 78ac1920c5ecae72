/** Requests between sessions, rooms and occupants (M4, M5), and what a session that has not joined gets (L8). */
import {
  assert,
  type Client,
  type Element,
  joinRoom,
  leaveRoom,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { until, untilSettled, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('iq', { together: 3 });
const ping = `<ping xmlns='urn:xmpp:ping'/>`;
const version = `<query xmlns='jabber:iq:version'/>`;
const mam = 'urn:xmpp:mam:2';

async function twoJoined(scene: Scene): Promise<{ witness: Witness; desk: Client; phone: Client }> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  await witness.sees();
  return { witness, desk, phone };
}

/** Answers the next request that arrives with a name of the one who answers. */
async function answerVersion(client: Client, name: string): Promise<Element> {
  const asked = await client.pick(`<iq type='get'>${version}</iq>`);
  client.send(
    `<iq type='result' id='${asked.id}' to='${asked.from}'><query xmlns='jabber:iq:version'><name>${name}</name></query></iq>`,
  );
  return asked;
}

scenario('M4', 'two sessions ask the room under one id at once, and each gets its own answer', async (scene) => {
  const { room } = scene;
  const { desk, phone } = await twoJoined(scene);
  const ask = (client: Client, node: string) =>
    client.iq(`<iq type='get' id='same' to='${room}'><query xmlns='http://jabber.org/protocol/disco#${node}'/></iq>`);
  const [info, items] = await Promise.all([ask(desk, 'info'), ask(phone, 'items')]);
  assert.is(info.child('query')?.ns, 'http://jabber.org/protocol/disco#info');
  assert.is(items.child('query')?.ns, 'http://jabber.org/protocol/disco#items');
  assert.equal([info.from, info.to, items.to], [room, desk.jid, phone.jid]);
  for (const client of [desk, phone]) await client.expectNothing({ room });
});

scenario(
  'M4',
  'a request to an occupant goes through the carrier, and its answer to the asking session alone',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await twoJoined(scene);
    for (const client of [phone, desk]) {
      const answer = client.iq(`<iq type='get' id='v' to='${room}/witness'>${version}</iq>`);
      const asked = await answerVersion(witness.client, 'witness');
      assert.is(asked.from, `${room}/al`);
      const got = await answer;
      assert.equal([got.from, got.to, got.at('query', 'name')?.text], [`${room}/witness`, client.jid, 'witness']);
    }
    for (const client of [desk, phone]) await client.expectNothing({ room });
  },
);

scenario('M4', 'an error of the room comes to the asking session with its own id', async (scene) => {
  const { room } = scene;
  const { desk, phone } = await twoJoined(scene);
  const error = await phone.iqError(
    `<iq type='set' id='e' to='${room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='witness' role='none'/></query></iq>`,
  );
  assert.is(error.stanza.from, room);
  for (const client of [desk, phone]) await client.expectNothing({ room });
});

scenario('M4', 'what an occupant forges as an answer is dropped', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  const mallory = await scene.direct('mallory');
  await joinRoom(mallory, `${room}/mallory`);
  for (const client of [desk, phone]) await client.fence({ room });
  const answer = desk.iq(`<iq type='get' id='v' to='${room}/witness'>${version}</iq>`);
  const asked = await witness.client.pick(`<iq type='get'>${version}</iq>`);
  // The others give the request an id of their own, and take an answer under it from anybody.
  for (const id of scene.server.name === 'jabberd2' ? ['v', asked.id] : ['v']) {
    mallory.send(
      `<iq type='result' id='${id}' to='${room}/al'><query xmlns='jabber:iq:version'><name>no</name></query></iq>`,
    );
  }
  await mallory.fence({ room });
  witness.client.send(
    `<iq type='result' id='${asked.id}' to='${asked.from}'><query xmlns='jabber:iq:version'><name>yes</name></query></iq>`,
  );
  assert.is((await answer).at('query', 'name')?.text, 'yes');
  for (const client of [desk, phone]) await client.expectNothing({ room });
});

scenario(
  'M4',
  'a request that stays unanswered ends in an error',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await twoJoined(scene);
    const answer = desk.iqError(`<iq type='get' id='v' to='${room}/witness'>${version}</iq>`);
    await witness.client.pick(`<iq type='get'>${version}</iq>`);
    const error = await answer;
    assert.equal(
      [error.condition, error.errorType, error.stanza.from],
      ['remote-server-timeout', 'wait', `${room}/witness`],
    );
    await phone.expectNothing({ room });
  },
  { config: { iq: { timeout: '1s' } } },
);

scenario('M4', 'a request whose carrier is lost ends in an error, or is answered', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene, { config: { whois: 'anyone' } });
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${room}/al`);
  await joinRoom(phone, `${room}/al`);
  const shown = await witness.client.pick(`<presence from='${room}/al'/>`);
  const carrier = shown.child('x', 'http://jabber.org/protocol/muc#user')?.child('item')?.attrs.jid ?? '';
  const answer = phone.iqError(`<iq type='get' id='v' to='${room}/witness'>${version}</iq>`);
  await witness.client.pick(`<iq type='get'>${version}</iq>`);
  await scene.direct('alice', { device: carrier.slice(carrier.indexOf('/') + 1), isSilent: true });
  const error = await answer;
  assert.equal([error.errorType, error.stanza.from, error.stanza.id], ['wait', `${room}/witness`, 'v']);
});

scenario('M4', 'a request of an occupant is put to one session, and only that one can answer', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  for (const [active, other] of [
    [desk, phone],
    [phone, desk],
  ] as const) {
    active.send(`<presence to='${room}/al'><show>chat</show></presence>`);
    other.send(`<presence to='${room}/al'><show>xa</show></presence>`);
    for (const client of [active, other]) await client.fence({ room });
    const answer = witness.client.iq(`<iq type='get' id='v' to='${room}/al'>${version}</iq>`);
    const asked = await active.pick(`<iq type='get'>${version}</iq>`);
    assert.equal([asked.from, asked.to], [`${room}/witness`, active.jid]);
    const reply = (name: string) =>
      `<iq type='result' id='${asked.id}' to='${room}/witness'><query xmlns='jabber:iq:version'><name>${name}</name></query></iq>`;
    other.send(reply('forged'));
    await other.expectNothing({ room });
    active.send(reply('true'));
    assert.is((await answer).at('query', 'name')?.text, 'true');
    await active.expectNothing({ room });
  }
});

scenario(
  'M4',
  'with no session joined the proxy answers in the name of the account, and the occupant stays',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    await witness.client.iq(`<iq type='get' to='${room}/al'>${ping}</iq>`);
    const error = await witness.client.iqError(
      `<iq type='get' to='${room}/al'><query xmlns='urn:example:unknown'/></iq>`,
    );
    assert.is(error.condition, 'service-unavailable');
    await desk.expectNothing({ room });
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario('M4', 'the session that was asked goes: the occupant who asked is answered all the same', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  phone.send(`<presence to='${room}/al'><show>chat</show></presence>`);
  desk.send(`<presence to='${room}/al'><show>xa</show></presence>`);
  for (const client of [desk, phone]) await client.fence({ room });
  const answer = witness.client.iq(`<iq type='get' to='${room}/al'>${ping}</iq>`);
  await phone.pick(`<iq type='get'>${ping}</iq>`);
  await phone.drop();
  await answer;
  await untilSettled(scene, 1);
});

scenario(
  'M5',
  'two sessions query the archive at once: each gets its own results, in order, before its end',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await twoJoined(scene);
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await witness.say(`message ${index}`));
    await until('the archive has all', async () => {
      const fin = await witness.client.iq(`<iq type='set' to='${room}'><query xmlns='${mam}'/></iq>`);
      await witness.client.fence();
      return fin.at('fin', 'set', 'count')?.text === undefined || Number(fin.at('fin', 'set', 'count')?.text) >= 5;
    });
    for (const client of [desk, phone]) await client.fence({ room });
    const queries = { desk: `queryid='mine'`, phone: '' };
    desk.send(`<iq type='set' id='same' to='${room}'><query xmlns='${mam}' ${queries.desk}/></iq>`);
    phone.send(`<iq type='set' id='same' to='${room}'><query xmlns='${mam}'/></iq>`);
    for (const client of [desk, phone]) {
      const all = await client.upTo(`<iq type='result' id='same' from='${room}'><fin xmlns='${mam}'/></iq>`);
      const results = all.filter((one) => one.name === 'message');
      assert.is(results.length, all.length - 1);
      for (const one of results) {
        assert.is(one.to, client.jid);
        assert.is(one.child('result', mam)?.attrs.queryid, client === desk ? 'mine' : undefined);
      }
      const bodies = results.map((one) => one.at('result', 'forwarded', 'message')).filter((one) => one?.child('body'));
      assert.equal(
        bodies.map((one) => one?.id),
        ids,
      );
      await client.expectNothing({ room });
    }
  },
  { except: ['archive'] },
);

scenario(
  'L8',
  'a session that has not joined looks like a stranger, also where its own stream is the carrier',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await twoJoined(scene);
    const idle = await scene.login('alice', { device: 'idle' });
    // The first device's stream is the carrier where that is borrowed.
    await leaveRoom(desk, `${room}/al`);
    for (const stranger of [desk, idle]) {
      const id = sayInRoom(stranger, room, 'let me in');
      const refused = await stranger.expect(`<message type='error' id='${id}' from='${room}'/>`);
      assert.ok(['not-acceptable', 'not-allowed'].includes(refused.condition ?? ''), refused.condition);
      const away = await stranger.iqError(`<iq type='get' to='${room}/al'>${ping}</iq>`);
      assert.ok(['not-acceptable', 'item-not-found'].includes(away.condition ?? ''), away.condition);
      stranger.send(`<message type='chat' to='${room}/witness' id='pm'><body>psst</body></message>`);
      await stranger.expect(`<message type='error' id='pm' from='${room}/witness'/>`);
      stranger.send(`<presence to='${room}/al' id='old'/>`);
      await stranger.expect(
        `<presence type='unavailable' from='${room}/al' id='old'><x xmlns='http://jabber.org/protocol/muc#user'>
         <status code='110'/><status code='307'/><status code='333'/></x></presence>`,
      );
      await stranger.expectNothing({ room });
    }
    await phone.iq(`<iq type='get' to='${room}/al'>${ping}</iq>`);
    await phone.expectNothing({ room });
    assert.equal(await witness.sees(), []);
    await witness.client.expectNothing({ room });
  },
);

scenario('M10', "a client's error replies to what the room sent never reach the room", async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  const id = await witness.say('broken?');
  witness.client.send(`<message type='chat' to='${room}/al' id='pm'><body>psst</body></message>`);
  const error = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
  for (const client of [desk, phone]) {
    await client.pick(`<message type='chat' id='pm' from='${room}/witness'/>`);
    for (const [to, one] of [
      [`${room}/witness`, id],
      [room, id],
      [`${room}/witness`, 'pm'],
    ]) {
      client.send(`<message type='error' id='${one}' to='${to}'>${error}</message>`);
    }
    client.send(`<presence type='error' to='${room}/witness'>${error}</presence>`);
    client.send(`<presence type='error' to='${room}/al'>${error}</presence>`);
    client.send(`<iq type='error' id='unasked' to='${room}/witness'>${error}</iq>`);
    client.send(`<iq type='result' id='unasked' to='${room}'/>`);
    await client.fence({ room });
  }
  await witness.client.expectNothing({ room });
  assert.equal(await witness.sees(), []);
  const still = await witness.say('still there');
  for (const client of [desk, phone])
    await client.pick(`<message type='groupchat' id='${still}' from='${room}/witness'/>`);
});

scenario.run();
