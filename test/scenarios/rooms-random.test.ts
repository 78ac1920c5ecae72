/**
 * One device alone, whatever it and others do: it and the others hear the same as without the proxy, in the same order. What is done is
 * drawn by lot (support/deeds.ts).
 */
import process from 'node:process';
import fc from 'fast-check';
import { asWithoutProxy, type Play } from './support/compare.ts';
import { type Deed, deeds } from './support/deeds.ts';
import { scenarios } from './support/scenario.ts';

const scenario = scenarios('rooms-random', { together: 4, limitMs: 60_000, except: ['closingSubject'] });

/** The same plays in every run; `SEED=1` and the like for others, `RUNS=50` for more, `LENGTH=60` for longer ones. */
const seed = Number(process.env.SEED ?? 20261128);
const numRuns = Number(process.env.RUNS ?? 1);
const length = Number(process.env.LENGTH ?? 40);

const lots = Object.entries(deeds).map(([name, { weight }]) => {
  const lot = fc.tuple(fc.constant(name), fc.nat(99));
  return { weight, arbitrary: lot };
});
const order = fc.array(fc.oneof(...lots), { minLength: length, maxLength: length });

for (const [index, lotted] of fc.sample(order, { seed, numRuns }).entries()) {
  scenario(
    'J2, L4, M2',
    `a device and others hear the same as without the proxy, order ${index + 1}`,
    (scene) => asWithoutProxy(scene, (play) => perform(play, [['join', 0], ...lotted]), { isAlone: true }),
    // Without a grace the room sees each leave when it is said.
    { config: { leave: { grace: '0' } } },
  );
}

scenario.run();

async function perform(play: Play, events: readonly (readonly [name: string, n: number])[]): Promise<void> {
  const { room } = play;
  const people = { actor: play.actor, bob: await play.person('bob'), carol: await play.person('carol') };
  const [alice, bob, carol] = (await Promise.all(['alice', 'bob', 'carol'].map(play.jid))) as [string, string, string];
  let [isIn, nick] = [false, 'al'];
  for (const [index, [name, n]] of events.entries()) {
    const { who, xml, isAsked, isEntry, isInside } = deeds[name] as Deed;
    if (isIn ? isEntry : isInside) continue;
    const text = xml({ room, n, nick, alice, bob, carol });
    const client = people[who];
    await play.step(`${index}: ${name} ${n}`, async () => (isAsked ? play.ask(client, text) : client.send(text)));
    for (const { name: kind, from = '', type, codes } of play.heard()) {
      if (kind !== 'presence' || !from.startsWith(`${room}/`) || !codes.includes(110)) continue;
      isIn = type === undefined || codes.includes(303);
      if (type === undefined) nick = from.slice(room.length + 1);
    }
  }
}
