/** What an account has a room keep: its nick, the room's portrait, and which messages stand (M4, M7). */
import { asWithoutProxy } from './support/compare.ts';
import { assert, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('owners-place', { together: 3 });

const register = 'jabber:iq:register';

scenario('M4', 'a nick is registered, shown and given up by any device as without the proxy', async (scene) => {
  await asWithoutProxy(scene, async ({ actor, room, jid, person, step, ask }) => {
    const bob = await person('bob');
    const query = (type: string, inner = '') =>
      `<iq type='${type}' to='${room}'><query xmlns='${register}'>${inner}</query></iq>`;
    const form = (nick: string) =>
      `<x xmlns='${ns.data}' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field><field var='muc#register_roomnick'><value>${nick}</value></field></x>`;
    await step('a stranger asks for the form', () => ask(actor, query('get')));
    await step('he is made a member', async () =>
      ask(
        bob,
        `<iq type='set' to='${room}'><query xmlns='${ns.mucAdmin}'><item affiliation='member' jid='${await jid('alice')}'/></query></iq>`,
      ),
    );
    await step('the form', () => ask(actor, query('get')));
    await step('the nick', () => ask(actor, query('set', form('al'))));
    await step("another's nick", () => ask(actor, query('set', form('bob'))));
    await step('no form', () => ask(actor, query('set', '<nick>al</nick>')));
    await step('what is registered', () => ask(actor, query('get')));
    await step('the reserved nick', () =>
      ask(actor, `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}' node='x-roomuser-item'/></iq>`),
    );
    await step('given up', () => ask(actor, query('set', '<remove/>')));
    await step('the form once more', () => ask(actor, query('get')));
  });
});

scenario(
  'M4',
  "the room's card and portrait are set and read by any device, and all hear of them as without the proxy",
  async (scene) => {
    await asWithoutProxy(
      scene,
      async ({ actor, room, person, step, ask, enters }) => {
        const bob = await person('bob');
        await enters(bob, 'bob');
        const card = (type: string, inner = '') =>
          `<iq type='${type}' to='${room}'><vCard xmlns='vcard-temp'>${inner}</vCard></iq>`;
        const portrait = (text: string) =>
          `<FN>The heath</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>${Buffer.from(text).toString('base64')}</BINVAL></PHOTO>`;
        await step('the card that is not there', () => ask(actor, card('get')));
        await step('a portrait', () => ask(actor, card('set', portrait('one'))));
        await step('the card', () => ask(actor, card('get')));
        await step('another portrait', () => ask(actor, card('set', portrait('two'))));
        await step('what the room says of itself', () =>
          ask(actor, `<iq type='get' to='${room}'><query xmlns='${ns.discoInfo}'/></iq>`),
        );
        // mu-conference has each client answer by itself.
        const people = scene.server.name === 'jabberd2' ? [] : ['bob', 'al', 'nobody'];
        for (const nick of people) {
          await step(`the card of ${nick}`, () =>
            ask(actor, `<iq type='get' to='${room}/${nick}'><vCard xmlns='vcard-temp'/></iq>`),
          );
        }
        await step('somebody else sets it', () => ask(bob, card('set', portrait('three'))));
        await step('none', () => ask(actor, card('set', '<FN>The heath</FN>')));
      },
      { isOwner: true },
    );
  },
);

scenario('M7', 'a message is moderated by any device, and all hear of it as without the proxy', async (scene) => {
  await asWithoutProxy(
    scene,
    async ({ actor, room, person, step, ask, enters, heard }) => {
      const bob = await person('bob');
      await enters(bob, 'bob');
      await step('bob says something', async () =>
        bob.send(`<message type='groupchat' id='play-rude' to='${room}'><body>rude</body></message>`),
      );
      const said = heard().find((one) => one.id === 'play-rude');
      const mark = said?.child('stanza-id', 'urn:xmpp:sid:0')?.id ?? 'none';
      assert.is(mark === 'none', scene.server.name === 'jabberd2');
      const moderate = (id: string) =>
        `<iq type='set' to='${room}'><apply-to xmlns='urn:xmpp:fasten:0' id='${id}'><moderate xmlns='urn:xmpp:message-moderate:0'><retract xmlns='urn:xmpp:message-retract:0'/><reason>manners</reason></moderate></apply-to></iq>`;
      await step('it is taken back', () => ask(actor, moderate(mark)));
      await step('one that there is not', () => ask(actor, moderate('nothing')));
      await step('by one who may not', () => ask(bob, moderate(mark)));
    },
    { isOwner: true },
  );
});

scenario.run();
