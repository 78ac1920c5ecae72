/** A terminal client as people use it (J1, M1, L1, L3): profanity joins, talks, is killed, returns and leaves. */
import { startTerminal, terminalHome } from './support/profanity.ts';
import { assert, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('program-terminal', { limitMs: 60_000, except: ['otherTransport', 'sharedNick'] });

scenario(
  'M1',
  'profanity joins beside a sibling, talks, is killed, returns and leaves: it hears everything once, and the room sees one occupant',
  async (scene) => {
    const { room, server } = scene;
    const witness = await watch(scene);
    const phone = await scene.login('alice', { device: 'phone' });
    await joinRoom(phone, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    const user = (await scene.jid('alice')).split('@')[0] as string;
    const { port } = scene.proxy.target('tcp');
    const home = terminalHome(scene, { user, port, mucDomain: server.mucDomain, nick: 'al' });
    const heard: string[] = [];
    const hears = (what: string) => until(`profanity has heard ${what}`, () => terminal.heard(room).includes(what));
    const bobSays = async (text: string) => {
      await witness.say(text);
      heard.push(`witness: ${text}`);
      await hears(`witness: ${text}`);
    };
    let terminal = await startTerminal(scene, home);
    await terminal.join(room, 'al');
    await bobSays('good morning');
    terminal.type('and to you');
    const spoken = (body: string) => `<message type='groupchat' from='${room}/al'><body>${body}</body></message>`;
    await witness.client.pick(spoken('and to you'));
    await phone.pick(spoken('and to you'));
    heard.push('al: and to you');
    await terminal.kill();
    const missed = await witness.say('are you there?');
    await phone.pick(said(room, 'witness', missed));
    assert.equal(await witness.sees(), []);
    terminal = await startTerminal(scene, home);
    await terminal.join(room, 'al');
    await bobSays('again');
    const id = sayInRoom(phone, room, 'from the phone');
    await phone.pick(said(room, 'al', id));
    terminal.type('/close');
    await witness.client.fence({ room });
    assert.equal(await witness.sees(), []);
    await terminal.quit();
    await leaveRoom(phone, `${room}/al`);
    await until('the account leaves', async () => (await witness.sees()).includes('-al'));
    for (const line of heard) assert.is(terminal.heard(room).filter((one) => one === line).length, 1, line);
  },
  { config: { leave: { grace: '0' } } },
);

scenario.run();
