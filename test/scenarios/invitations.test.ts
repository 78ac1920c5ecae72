/** Invitations (XEP-0045 section 7.8, XEP-0249), by and to devices that are not the one whose stream carries (M3). */
import { asWithoutProxy } from './support/compare.ts';
import { assert, createRoom, joinRoom, ns, scenarios } from './support/scenario.ts';
import { watch } from './support/witness.ts';

const scenario = scenarios('invitations', { together: 3 });

const direct = 'jabber:x:conference';

scenario(
  'M3',
  'any device invites by way of the room, and hears what becomes of it, as without the proxy',
  async (scene) => {
    await asWithoutProxy(
      scene,
      async ({ actor, room, person, jid, step }) => {
        const bob = await person('bob');
        const inner = (what: string) =>
          `<message to='${room}' id='play-invite'><x xmlns='${ns.mucUser}'>${what}</x></message>`;
        await step('an invitation', async () =>
          actor.send(inner(`<invite to='${await jid('bob')}'><reason>come</reason></invite>`)),
        );
        await step('it is declined', async () =>
          bob.send(inner(`<decline to='${await jid('alice')}'><reason>too busy</reason></decline>`)),
        );
        await step('two at once', async () =>
          actor.send(inner(`<invite to='${await jid('bob')}'/><invite to='${await jid('carol')}'/>`)),
        );
        await step('of nobody', async () => actor.send(inner(`<invite to='@'/>`)));
        await step('of one who is inside', async () => {
          bob.send(`<presence to='${room}/bob' id='play-join'><x xmlns='${ns.muc}'/></presence>`);
          await bob.fence({ room });
          actor.send(inner(`<invite to='${await jid('bob')}'/>`));
        });
        await step('straight', async () =>
          actor.send(
            `<message to='${bob.jid}' id='play-straight'><x xmlns='${direct}' jid='${room}' reason='come'/></message>`,
          ),
        );
      },
      { isOwner: true },
    );
  },
);

scenario('M3', 'who declines an invitation of one device is heard by the account, whoever carries', async (scene) => {
  const { room, server } = scene;
  const bob = await scene.direct('bob', { device: 'bob' });
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await createRoom(desk, `${room}/al`);
  await joinRoom(phone, `${room}/al`);
  phone.send(`<message to='${room}'><x xmlns='${ns.mucUser}'><invite to='${bob.bareJid}'/></x></message>`);
  const isInvitation = (one: { at(...names: string[]): unknown }) => one.at('x', 'invite') !== undefined;
  const invited = await bob.pick(Object.assign(isInvitation, { wanted: 'an invitation' }));
  const inviter = invited.at('x', 'invite')?.attrs.from ?? '';
  assert.ok(inviter.startsWith(`${room}/al`) || inviter.startsWith(phone.bareJid), inviter);
  bob.send(
    `<message to='${room}'><x xmlns='${ns.mucUser}'><decline to='${inviter}'><reason>no</reason></decline></x></message>`,
  );
  await bob.fence({ room });
  const declined = (one: { at(...names: string[]): { text: string } | undefined }) =>
    one.at('x', 'decline', 'reason')?.text === 'no';
  for (const client of [desk, phone]) {
    const arrived = (await client.fence({ room })).filter(declined);
    assert.is(arrived.length, 1, `${client.resource} at ${server.name}`);
  }
});

scenario(
  'M3',
  'a straight invitation to the account reaches its devices as any message, joined or not',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(desk, `${room}/al`);
    const invite = (to: string, id: string) =>
      witness.client.send(`<message to='${to}' id='${id}'><x xmlns='${direct}' jid='${room}'/></message>`);
    for (const client of [desk, phone]) {
      invite(client.jid, 'own');
      await client.expect(
        `<message id='own' from='${witness.client.jid}'><x xmlns='${direct}' jid='${room}'/></message>`,
      );
    }
    invite(desk.bareJid, 'all');
    for (const client of [desk, phone])
      await client.expect(`<message id='all'><x xmlns='${direct}' jid='${room}'/></message>`);
    for (const client of [desk, phone]) await client.expectNothing({ room });
  },
);

scenario.run();
