/** What every store promises of sessions without connections (proxy/store/hibernations.ts). */
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, type StoreFixture } from './fixture.ts';

const name = 'example.org a-name from-a-server/with="signs"';
const record = { account, session: 'n1.s1', state: '{"text":"<message>é</message>\\n"}' };
const hour = 3_600_000;

export function hibernations(test: Suite, fixture: (context: TestContext) => Promise<StoreFixture>): void {
  test('a session that fell asleep is kept as it was, until it is taken', async (context) => {
    const { hibernations } = await (await fixture(context)).open();
    assert.is(await hibernations.read(name), undefined);
    await hibernations.put(name, record, hour);
    assert.equal(await hibernations.read(name), record);
    assert.equal(await hibernations.take(name), record);
    assert.is(await hibernations.take(name), undefined);
  });

  test('a session is taken by one caller alone, and nothing of it is left', async (context) => {
    const opened = await fixture(context);
    const [here, there] = [await opened.open(), await opened.open()];
    await here.hibernations.put(name, record, hour);
    const taken = await Promise.all([here.hibernations.take(name), there.hibernations.take(name)]);
    assert.is(taken.filter((one) => one !== undefined).length, 1);
    assert.is(await here.hibernations.read(name), undefined);
    await there.hibernations.put(name, { ...record, state: 'anew' }, hour);
    assert.equal(await here.hibernations.read(name), { ...record, state: 'anew' });
  });

  test('a session that is put anew has nothing of the earlier one', async (context) => {
    const { hibernations } = await (await fixture(context)).open();
    await hibernations.put(name, record, hour);
    await hibernations.put(name, { ...record, session: 'n1.s2' }, hour);
    assert.equal(await hibernations.take(name), { ...record, session: 'n1.s2' });
  });

  test('a session is gone when its time is over, and not before', async (context) => {
    const opened = await fixture(context);
    const { hibernations } = await opened.open();
    await hibernations.put(name, record, 1000);
    await opened.advance(600);
    assert.equal(await hibernations.read(name), record);
    await opened.advance(600);
    assert.is(await hibernations.read(name), undefined);
    assert.is(await hibernations.take(name), undefined);
  });
}
