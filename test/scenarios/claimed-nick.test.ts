/** Somebody else has a claim to the nick of an account: its hand-over is refused, and nobody else's is (L9). */
import { assert, type Client, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { heardOnce, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('claimed-nick', { limitMs: 60_000, together: 3 });

async function twoJoined(scene: Scene, role: string, nick: string): Promise<[Client, Client]> {
  const one = await scene.login(role, { device: 'one' });
  const two = await scene.login(role, { device: 'two' });
  for (const device of [one, two]) await joinRoom(device, `${scene.room}/${nick}`);
  return [one, two];
}

scenario(
  'L9',
  'a nick that a stranger registers under an account is lost to that account, and costs no other one its seamless hand-over',
  async (scene) => {
    const { room, server } = scene;
    const witness = await watch(scene);
    // All rooms of the server know it then, those of other scenarios too.
    const al = `al-of-${room.slice(0, room.indexOf('@'))}`;
    const [desk, phone] = await twoJoined(scene, 'alice', al);
    const [first, second] = await twoJoined(scene, 'dave', 'da');
    assert.equal(await witness.sees(), [`+${al}`, '+da']);
    const stranger = await scene.direct('stranger');
    await stranger.iq(
      `<iq type='set' to='${server.mucDomain}'><query xmlns='jabber:iq:register'><nick>${al}</nick></query></iq>`,
    );
    await desk.drop();
    await until('the account has left', async () => (await witness.sees()).includes(`-${al}`));
    await phone.pick(
      `<presence type='unavailable' from='${room}/${al}'>
         <x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><status code='333'/></x></presence>`,
      { limitMs: 30_000 },
    );
    await first.drop();
    await untilSettled(scene, 2);
    assert.equal(await witness.sees(), []);
    await second.fence({ room });
    await heardOnce([second], room, 'witness', await witness.say('still here?'));
  },
  { except: ['ownStream', 'nickRegistry'] },
);

scenario.run();
