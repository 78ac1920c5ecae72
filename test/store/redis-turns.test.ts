/** Work of one name is done in its order. */
import fc from 'fast-check';
import { Turns } from '../../proxy/store/redis-turns.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('redis turns');

test('work of one name is done in the order of the calls, one at a time, whatever fails; other names do not wait', async () => {
  const work = fc.record({ name: fc.constantFrom('a', 'b'), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(work, { maxLength: 20 }), async (scheduler, all) => {
      const turns = new Turns();
      const begun: Record<string, number[]> = { a: [], b: [] };
      const busy = new Set<string>();
      const results = all.map(({ name, fails }, index) =>
        turns.run(name, async () => {
          assert.not(busy.has(name), 'one at a time');
          busy.add(name);
          begun[name]?.push(index);
          await scheduler.schedule(Promise.resolve());
          busy.delete(name);
          if (fails) throw new Error(String(index));
          return index;
        }),
      );
      const settled = Promise.allSettled(results);
      await scheduler.waitFor(settled);
      for (const [index, one] of (await settled).entries()) {
        const { fails } = all[index] as (typeof all)[number];
        assert.is(one.status, fails ? 'rejected' : 'fulfilled');
        assert.is(one.status === 'fulfilled' ? one.value : Number((one.reason as Error).message), index);
      }
      for (const list of Object.values(begun))
        assert.equal(
          list,
          [...list].sort((a, b) => a - b),
        );
      await turns.idle();
    }),
  );
});

test('what waits for one name is bounded', async () => {
  const turns = new Turns();
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const first = turns.run('a', () => gate);
  const rest = Array.from({ length: 10_000 }, () => turns.run('a', async () => {}).catch((error) => error.code));
  assert.is(await rest.at(-1), 'unavailable');
  await turns.run('b', async () => {});
  open();
  await first;
  await turns.idle();
  assert.is((await Promise.all(rest)).filter((code) => code === 'unavailable').length, 1);
});

test.run();
