/** What owners and moderators do to others, by a device that is not the one whose stream carries (M4, L4). */
import { asWithoutProxy } from './support/compare.ts';
import { assert, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('owners-people', { together: 3 });

const list = (to: string, attributes: string) =>
  `<iq type='get' to='${to}'><query xmlns='${ns.mucAdmin}'><item ${attributes}/></query></iq>`;

/** Changes people: attributes of each item, with a reason where one is given. */
function change(to: string, items: readonly string[], reason?: string): string {
  const inner = reason === undefined ? '' : `<reason>${reason}</reason>`;
  const all = items.map((attributes) => `<item ${attributes}>${inner}</item>`).join('');
  return `<iq type='set' to='${to}'><query xmlns='${ns.mucAdmin}'>${all}</query></iq>`;
}

scenario('M4', 'lists of people are read and changed as without the proxy', async (scene) => {
  await asWithoutProxy(
    scene,
    async ({ actor, room, person, jid, step, ask, enters }) => {
      const bob = await person('bob');
      await enters(bob, 'bob');
      const [carol, dave] = [await jid('carol'), await jid('dave')];
      await step('two are changed at once', () =>
        ask(actor, change(room, [`affiliation='member' jid='${carol}'`, `affiliation='outcast' jid='${dave}'`])),
      );
      for (const affiliation of ['owner', 'admin', 'member', 'outcast']) {
        await step(`the list of each ${affiliation}`, () => ask(actor, list(room, `affiliation='${affiliation}'`)));
      }
      for (const role of ['moderator', 'participant', 'visitor']) {
        await step(`the list of each ${role}`, () => ask(actor, list(room, `role='${role}'`)));
      }
      await step('one who is inside', async () =>
        ask(actor, change(room, [`affiliation='admin' jid='${await jid('bob')}'`], 'as agreed')),
      );
      await step('one is let in again', () => ask(actor, change(room, [`affiliation='none' jid='${dave}'`])));
      await step('a list that there is not', () => ask(actor, list(room, `affiliation='friend'`)));
      await step('somebody who is nobody', () => ask(actor, change(room, [`affiliation='member' jid='@'`])));
      await step('the account, by another', async () => ask(bob, list(room, `affiliation='owner'`)));
    },
    { isOwner: true },
  );
});

scenario(
  'L4',
  'voice, kick and ban by any device have their effects and their refusals as without the proxy',
  async (scene) => {
    await asWithoutProxy(
      scene,
      async ({ actor, room, person, jid, step, ask, enters }) => {
        const bob = await person('bob');
        const carol = await person('carol');
        await enters(bob, 'bob');
        await enters(carol, 'carol');
        await step('voice is taken', () => ask(actor, change(room, [`nick='bob' role='visitor'`], 'hush')));
        await step('and given back', () => ask(actor, change(room, [`nick='bob' role='participant'`])));
        await step('a moderator', () => ask(actor, change(room, [`nick='carol' role='moderator'`])));
        await step('a kick', () => ask(actor, change(room, [`nick='bob' role='none'`], 'off with you')));
        await enters(bob, 'bob');
        await step('a ban', async () =>
          ask(actor, change(room, [`jid='${await jid('bob')}' affiliation='outcast'`], 'for good')),
        );
        await step('bob is kept out', async () =>
          bob.send(`<presence to='${room}/bob' id='play-join'><x xmlns='${ns.muc}'/></presence>`),
        );
        await step('nobody of that nick', () => ask(actor, change(room, [`nick='nobody' role='none'`])));
        await step('a moderator kicks an owner', () => ask(carol, change(room, [`nick='al' role='none'`])));
        await step('the last owner gives up', async () =>
          ask(actor, change(room, [`jid='${await jid('alice')}' affiliation='member'`])),
        );
      },
      { isOwner: true },
    );
  },
);

scenario('L4', 'a request for voice reaches all devices, and any of them can grant it', async (scene) => {
  await asWithoutProxy(
    scene,
    async ({ actor, room, person, step, ask, enters, heard }) => {
      const bob = await person('bob');
      await enters(bob, 'bob');
      await step('voice is taken', () => ask(actor, change(room, [`nick='bob' role='visitor'`])));
      const request = (fields: string) =>
        `<message to='${room}'><x xmlns='${ns.data}' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>${fields}</x></message>`;
      await step('bob asks', async () =>
        bob.send(request(`<field var='muc#role' type='list-single'><value>participant</value></field>`)),
      );
      const form = heard().find((one) => one.name === 'message' && one.child('x', ns.data));
      if (scene.server.name !== 'jabberd2') assert.ok(form, 'the request has arrived');
      const fields = form?.child('x', ns.data)?.elements.filter((one) => one.name === 'field') ?? [];
      const given = fields
        .filter(({ attrs }) => !['FORM_TYPE', 'muc#request_allow'].includes(attrs.var ?? ''))
        .map(
          ({ attrs, elements }) =>
            `<field var='${attrs.var}'><value>${elements.find((one) => one.name === 'value')?.text ?? ''}</value></field>`,
        );
      if (!form) return;
      await step('it is granted', async () =>
        actor.send(request(`${given.join('')}<field var='muc#request_allow' type='boolean'><value>1</value></field>`)),
      );
    },
    { isOwner: true, config: { moderatedroom: '1' } },
  );
});

scenario('L4', 'a device without voice asks for it, and all devices hear that it is given', async (scene) => {
  await asWithoutProxy(
    scene,
    async ({ actor, room, person, step, ask }) => {
      const bob = await person('bob');
      await step('voice is taken', () => ask(bob, change(room, [`nick='al' role='visitor'`])));
      await step('a device says something', async () =>
        actor.send(`<message type='groupchat' id='play-mute' to='${room}'><body>mm</body></message>`),
      );
      await step('it asks for voice', async () =>
        actor.send(
          `<message to='${room}'><x xmlns='${ns.data}' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role' type='list-single'><value>participant</value></field></x></message>`,
        ),
      );
      await step('which is given', () => ask(bob, change(room, [`nick='al' role='participant'`])));
      await step('a device says something', async () =>
        actor.send(`<message type='groupchat' id='play-loud' to='${room}'><body>ah</body></message>`),
      );
    },
    { config: { moderatedroom: '1' } },
  );
});

scenario.run();
