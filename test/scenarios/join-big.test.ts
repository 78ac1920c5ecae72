/** A second device's join to a big room: everybody there, nobody twice, in the order of the protocol (J2). */
import { nickOf, nothingHappens, past, roster, seesArrival } from './support/joining.ts';
import { assert, type Client, createRoom, joinRoom, sayInRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('join-big', { limitMs: 60_000 });
/** Accounts and devices of each: servers limit the sessions of one account. */
const accounts = 4;
const devices = 10;

scenario(
  'J2',
  'a second device in a room of 40 gets all occupants, all history and the subject, each once',
  async ({ room, login, direct, server }) => {
    const owner = await direct('owner');
    await createRoom(owner, `${room}/owner`, server.name === 'jabberd2' ? { maxusers: '200' } : {});
    const crowd: Client[] = [];
    const nicks: string[] = ['owner'];
    for (let index = 0; index < accounts * devices; index++) {
      const one = await direct(`guest${index % accounts}`);
      const nick = `guest ${index}`;
      one.send(
        `<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x><show>away</show><status>number ${index}</status></presence>`,
      );
      nicks.push(nick);
      crowd.push(one);
    }
    for (const one of crowd) await one.fence({ room });
    owner.send(`<message type='groupchat' to='${room}'><subject>crowds</subject></message>`);
    await owner.fence({ room });
    const said: string[] = [];
    for (const [index, one] of crowd.slice(0, 15).entries()) {
      said.push(sayInRoom(one, room, `word ${index}`));
      await owner.upTo(`<message type='groupchat'><body>word ${index}</body></message>`);
    }

    const phone = await login('alice');
    const first = await joinRoom(phone, `${room}/al`);
    await seesArrival(owner, `${room}/al`);
    const desk = await login('alice');
    const second = await joinRoom(desk, `${room}/al`);
    const witness = await joinRoom(await direct('dave'), `${room}/da`);
    for (const joined of [first, second]) {
      assert.match(joined.sequence, /^P{41}SH{15}T$/);
      assert.equal(joined.occupants.map(nickOf).sort(), [...nicks].sort());
      assert.equal(
        joined.history.map((one) => one.id),
        said,
      );
      assert.equal(past(joined), past(witness));
      assert.is(joined.subject?.child('subject')?.text, 'crowds');
      const { al: _, ...others } = roster(witness);
      assert.equal(roster(joined), others);
    }
    await owner.pick(`<presence from='${room}/da'/>`);
    for (const session of [phone, desk]) await session.expect(`<presence from='${room}/da'/>`);
    await nothingHappens(owner, room, phone, desk);
  },
);

scenario.run();
