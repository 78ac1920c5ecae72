/** A chat client in a browser as people use it (J1, M1, L1, L3): converse.js joins, talks, drops, is reloaded and leaves. */
import { converse } from './support/converse.ts';
import { assert, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('program-browser', { limitMs: 60_000, except: ['notInBrowsers', 'sharedNick'] });

scenario(
  'M1',
  'converse.js joins beside a sibling, talks, drops and resumes, is reloaded and leaves: it shows everything once, and the room sees one occupant',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const phone = await scene.login('alice', { device: 'phone', transport: 'tcp' });
    await joinRoom(phone, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const user = (await scene.jid('alice')).split('@')[0] as string;
    const { port, path = '' } = scene.proxy.target('websocket');
    const web = await converse(scene, { user, port, path });
    const heard: string[] = [];
    // It sorts by stamps, and servers stamp what comes late with whole seconds: in what order it shows them is its own.
    const shows = async () => {
      const isShown = async () => (await web.heard(room)).length >= heard.length;
      // What is missing is told by the comparison.
      await until('converse.js shows what was said', isShown).catch(() => {});
      assert.equal((await web.heard(room)).sort(), heard.toSorted(), web.page.console.join('\n'));
    };
    const bobSays = async (text: string) => {
      await witness.say(text);
      heard.push(`witness: ${text}`);
      await shows();
    };
    // The list of those present is drawn after what it is drawn from has come.
    const presents = async (...nicks: string[]) => {
      const isShown = async () => `${await web.present(room)}` === `${nicks}`;
      await until('converse.js shows who is there', isShown).catch(() => {});
      assert.equal(await web.present(room), nicks);
    };
    await web.join(room, 'al');
    await presents('al', 'witness');
    await bobSays('good morning');
    await web.say(room, 'and to you');
    const spoken = `<message type='groupchat' from='${room}/al'><body>and to you</body></message>`;
    await witness.client.pick(spoken);
    await phone.pick(spoken);
    heard.push('al: and to you');
    await web.drop();
    await bobSays('are you there?');
    const id = sayInRoom(phone, room, 'I am');
    await phone.pick(said(room, 'al', id));
    heard.push('al: I am');
    await shows();
    await web.hasStored(room);
    await web.page.reload();
    await web.isInside(room);
    await bobSays('welcome back');
    await presents('al', 'witness');
    assert.equal(await witness.sees(), []);
    await web.leave(room);
    const behind = await witness.say('who is left?');
    await phone.pick(said(room, 'witness', behind));
    assert.equal(await witness.sees(), []);
    await leaveRoom(phone, `${room}/al`);
    await until('the account leaves', async () => (await witness.sees()).includes('-al'));
  },
  { config: { leave: { grace: '0' } } },
);

scenario.run();
