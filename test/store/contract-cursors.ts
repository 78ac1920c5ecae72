/** What every store promises of cursors (proxy/store/cursors.ts). */
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, room, type StoreFixture } from './fixture.ts';

const other = 'attic@chat.example.org';
const day = 86_400_000;

export function cursors(test: Suite, fixture: (context: TestContext) => Promise<StoreFixture>): void {
  test('a device that nothing is known of has no cursors, and cursors are read as they were noted', async (context) => {
    const store = await (await fixture(context)).open();
    assert.equal(await store.cursors.read(account, 'phone'), new Map());
    const noted = new Map([
      [room, { key: "s 'é\n", at: 1_700_000_000_123 }],
      [other, { key: '', at: 0 }],
    ]);
    await store.cursors.note(account, 'phone', noted, day);
    assert.equal(await store.cursors.read(account, 'phone'), noted);
    assert.equal(await store.cursors.read(account, 'desk'), new Map());
    assert.equal(await store.cursors.read('romeo@example.org', 'phone'), new Map());
  });

  test('what is noted takes the place of all that was known of the device, and nothing of it may be left', async (context) => {
    const store = await (await fixture(context)).open();
    await store.cursors.note(account, 'phone', new Map([[room, { key: 'a', at: 1 }]]), day);
    await store.cursors.note(account, 'phone', new Map([[other, { key: 'b', at: 2 }]]), day);
    assert.equal(await store.cursors.read(account, 'phone'), new Map([[other, { key: 'b', at: 2 }]]));
    await store.cursors.note(account, 'phone', new Map(), day);
    assert.equal(await store.cursors.read(account, 'phone'), new Map());
  });

  test('cursors are forgotten when their time is over, which begins anew when they are noted anew', async (context) => {
    const opened = await fixture(context);
    const store = await opened.open();
    const one = new Map([[room, { key: 'a', at: 1 }]]);
    await store.cursors.note(account, 'phone', one, 1000);
    await store.cursors.note(account, 'desk', one, 1000);
    await opened.advance(600);
    await store.cursors.note(account, 'desk', one, 1000);
    await opened.advance(600);
    assert.equal(await store.cursors.read(account, 'phone'), new Map());
    assert.equal(await store.cursors.read(account, 'desk'), one);
  });

  test('a cursor that was read does not change, and changing it changes nothing', async (context) => {
    const store = await (await fixture(context)).open();
    const given = new Map([[room, { key: 'a', at: 1 }]]);
    await store.cursors.note(account, 'phone', given, day);
    given.set(room, { key: 'x', at: 9 });
    const read = await store.cursors.read(account, 'phone');
    (read as Map<string, { key: string; at: number }>).clear();
    assert.equal(await store.cursors.read(account, 'phone'), new Map([[room, { key: 'a', at: 1 }]]));
  });
}
