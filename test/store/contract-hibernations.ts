/** What every store promises of sessions without connections (proxy/store/hibernations.ts). */
import { assert, type Suite, type TestContext } from '../support/suite.ts';
import { account, type StoreFixture } from './fixture.ts';

const name = 'example.org a-name from-a-server/with="signs"';
const record = { account, session: 'n1.s1', state: '{"text":"<message>é</message>\\n"}' };
const hour = 3_600_000;

export function hibernations(test: Suite, fixture: (context: TestContext) => Promise<StoreFixture>): void {
  test('a session that fell asleep is kept with what becomes due to it, in order', async (context) => {
    const { hibernations } = await (await fixture(context)).open();
    assert.is(await hibernations.read(name), undefined);
    await hibernations.put(name, record, hour);
    assert.equal(await hibernations.read(name), { ...record, due: [] });
    await Promise.all([
      hibernations.append(name, ['1', '2']),
      hibernations.append(name, []),
      hibernations.append(name, ['3']),
    ]);
    assert.is(await hibernations.append(name, ['', "<a b='é'/>\n"]), true);
    const expected = { ...record, due: ['1', '2', '3', '', "<a b='é'/>\n"] };
    assert.equal(await hibernations.read(name), expected);
    assert.equal(await hibernations.take(name), expected);
  });

  test('a session is taken by one caller alone, and nothing of it is left', async (context) => {
    const opened = await fixture(context);
    const [here, there] = [await opened.open(), await opened.open()];
    await here.hibernations.put(name, record, hour);
    await here.hibernations.append(name, ['1']);
    const taken = await Promise.all([here.hibernations.take(name), there.hibernations.take(name)]);
    assert.is(taken.filter((one) => one !== undefined).length, 1);
    assert.is(await here.hibernations.read(name), undefined);
    assert.is(await there.hibernations.append(name, ['2']), false);
    await there.hibernations.put(name, { ...record, state: 'anew' }, hour);
    assert.equal(await here.hibernations.read(name), { ...record, state: 'anew', due: [] });
  });

  test('a session that is put anew has nothing of the earlier one', async (context) => {
    const { hibernations } = await (await fixture(context)).open();
    await hibernations.put(name, record, hour);
    await hibernations.append(name, ['1']);
    await hibernations.put(name, { ...record, session: 'n1.s2' }, hour);
    assert.equal(await hibernations.take(name), { ...record, session: 'n1.s2', due: [] });
  });

  test('a session is gone when its time is over, whatever has become due to it meanwhile', async (context) => {
    const opened = await fixture(context);
    const { hibernations } = await opened.open();
    await hibernations.put(name, record, 1000);
    await opened.advance(600);
    assert.is(await hibernations.append(name, ['1']), true);
    await opened.advance(600);
    assert.is(await hibernations.append(name, ['2']), false);
    assert.is(await hibernations.read(name), undefined);
    assert.is(await hibernations.take(name), undefined);
  });
}
