/** Resumption (S9) of a session whose account is at home on another node, which hears of it when it hears of it. */
import { managed } from './support/device.ts';
import { type Node, nodes } from './support/nodes.ts';
import { assert, joinRoom, scenarios } from './support/scenario.ts';
import { speaks, watch } from './support/witness.ts';

const scenario = scenarios('resume-nodes-home', { limitMs: 60_000, except: ['streamManagement'] });

scenario(
  'S9',
  'a device that comes back to its node at once keeps its stream, however late the home hears that it had dropped',
  async (scene) => {
    const { room } = scene;
    const [first, second] = (await nodes(scene, 2)) as [Node, Node];
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk', through: first.proxy });
    await joinRoom(desk, `${room}/al`);
    const phone = await managed(scene, await scene.login('alice', { device: 'phone', through: second.proxy }));
    await joinRoom(phone.client, `${room}/al`);
    // What its node has to say to the home waits, and what the home makes of it comes when the device is back.
    second.cut(true);
    await phone.cut();
    await phone.resume({ target: second.proxy.target(scene.transport) });
    second.cut(false);
    // The home hears this last, and says nothing before it has said what the rest made it do.
    await speaks(phone.client, room, 'al');
    desk.send(`<message to='${phone.jid}' type='chat' id='direct'><body>to the phone</body></message>`);
    await phone.client.pick("<message type='chat' id='direct'/>");
    await phone.client.ping();
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario.run();
