/** What every store promises of stanza logs (proxy/store/logs.ts). */
import { StoreError } from '../../proxy/store/store.ts';
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, room, type StoreFixture } from './fixture.ts';

const other = 'attic@chat.example.org';
const day = 86_400_000;
const bytes = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));

export function logs(test: Suite, fixture: (context: TestContext) => Promise<StoreFixture>): void {
  test('a log that nobody has written is empty, and what is written is read byte for byte, in its order', async (context) => {
    const { logs: opened } = await (await fixture(context)).open();
    assert.equal(await opened.read(account, room), []);
    const odd = [Buffer.from([0, 255, 10, 13, 34]), Buffer.from('é\n{}'), Buffer.alloc(0)];
    assert.ok(await opened.write(account, room, { had: undefined, added: odd, changed: [], keep: 9 }, day));
    assert.equal(await opened.read(account, room), odd);
    assert.ok(await opened.write(account, room, { had: 3, added: bytes('more'), changed: [], keep: 9 }, day));
    assert.equal(await opened.read(account, room), [...odd, ...bytes('more')]);
    assert.equal(await opened.read(account, other), []);
    assert.equal(await opened.read('romeo@example.org', room), []);
  });

  test('of a log the newest stay, entries change in their places, and it can be begun anew', async (context) => {
    const { logs: opened } = await (await fixture(context)).open();
    const write = (had: number | undefined, added: string[], changed: [number, string][], keep: number) => {
      const others = changed.map(([fromEnd, text]) => ({ fromEnd, entry: Buffer.from(text) }));
      return opened.write(account, room, { had, added: bytes(...added), changed: others, keep }, day);
    };
    assert.ok(await write(0, ['a', 'b', 'c', 'd'], [], 3));
    assert.equal(await opened.read(account, room), bytes('b', 'c', 'd'));
    assert.ok(
      await write(
        3,
        ['e'],
        [
          [1, 'D'],
          [3, 'B'],
          [9, 'Z'],
        ],
        3,
      ),
    );
    assert.equal(await opened.read(account, room), bytes('c', 'D', 'e'));
    assert.ok(await write(3, [], [[2, 'C']], 3));
    assert.equal(await opened.read(account, room), bytes('C', 'D', 'e'));
    assert.ok(await write(undefined, ['x'], [], 3));
    assert.equal(await opened.read(account, room), bytes('x'));
    assert.ok(await write(1, ['y'], [], 0));
    assert.equal(await opened.read(account, room), []);
  });

  test('a step of one who believes that there is more, or less, changes nothing', async (context) => {
    const { logs: opened } = await (await fixture(context)).open();
    await opened.write(account, room, { had: undefined, added: bytes('a', 'b'), changed: [], keep: 9 }, day);
    for (const had of [0, 1, 3]) {
      const step = { had, added: bytes('x'), changed: [{ fromEnd: 1, entry: Buffer.from('y') }], keep: 9 };
      assert.is(await opened.write(account, room, step, day), false);
    }
    assert.equal(await opened.read(account, room), bytes('a', 'b'));
  });

  test('a log is forgotten when it is told so, or when its time is over, which each step begins anew', async (context) => {
    const made = await fixture(context);
    const { logs: opened } = await made.open();
    const step = { had: undefined, added: bytes('a'), changed: [], keep: 9 };
    await opened.write(account, room, step, 1000);
    await opened.write(account, other, step, 1000);
    await made.advance(600);
    assert.ok(await opened.write(account, other, { had: 1, added: bytes('b'), changed: [], keep: 9 }, 1000));
    await made.advance(600);
    assert.equal(await opened.read(account, room), []);
    assert.ok(await opened.write(account, room, { had: 0, added: bytes('c'), changed: [], keep: 9 }, 1000));
    assert.equal(await opened.read(account, other), bytes('a', 'b'));
    await opened.forget(account, other);
    assert.equal(await opened.read(account, other), []);
    await opened.forget(account, other);
  });

  test('who reads sees what was asked for before, though it is not done yet', async (context) => {
    const { logs: opened } = await (await fixture(context)).open();
    const step = { had: undefined, added: bytes('a'), changed: [], keep: 9 };
    // Redis may know the script that reads, and not those that write.
    await opened.read(account, room);
    const writing = opened.write(account, room, step, day);
    assert.equal(await opened.read(account, room), bytes('a'));
    const forgetting = opened.forget(account, room);
    assert.equal(await opened.read(account, room), []);
    await Promise.all([writing, forgetting]);
  });

  test('only the home writes a log, or forgets it', async (context) => {
    const store = await (await fixture(context)).open();
    await store.nodes.announce({ id: 'n1', since: 0 }, day);
    const { epoch } = await store.homes.claim(account, 'n1', day);
    const step = { had: undefined, added: bytes('a'), changed: [], keep: 9 };
    assert.ok(await store.logs.write(account, room, step, day, { node: 'n1', epoch }));
    for (const fence of [
      { node: 'n1', epoch: epoch - 1 },
      { node: 'n2', epoch },
    ]) {
      const refused = [
        store.logs.write(account, room, { ...step, added: bytes('x') }, day, fence),
        store.logs.forget(account, room, fence),
      ];
      for (const one of await Promise.allSettled(refused)) {
        assert.is(one.status, 'rejected');
        assert.is(one.status === 'rejected' && one.reason instanceof StoreError && one.reason.code, 'stale-home');
      }
    }
    assert.equal(await store.logs.read(account, room), bytes('a'));
    await store.logs.forget(account, room, { node: 'n1', epoch });
    assert.equal(await store.logs.read(account, room), []);
  });

  test('what was given may change later, and what was read too', async (context) => {
    const { logs: opened } = await (await fixture(context)).open();
    const given = Buffer.from('a');
    await opened.write(account, room, { had: undefined, added: [given], changed: [], keep: 9 }, day);
    given[0] = 120;
    (await opened.read(account, room))[0]?.fill(121);
    assert.equal(await opened.read(account, room), bytes('a'));
  });
}
