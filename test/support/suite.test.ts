/** The guard must turn red wherever bare uvu stays green. Each case is a small program in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from './suite.ts';

interface Outcome {
  code: number | null;
  output: string;
  reports: { registered: number; passed: number; failed: string[]; faults: string[] }[];
}

const twoTests = `test('a', () => {}); test('b', () => {});`;
const test = suite('suite', { limitMs: 30_000 });

test('a run in which all is well exits with 0 and reports its counts', async ({ after }) => {
  const run = await program(after, `test('a', () => {}); test('b', () => {}); test.run();`);
  assert.is(run.code, 0, run.output);
  assert.equal(run.reports, [
    { suite: 'x', file: '', registered: 2, titles: ['a', 'b'], passed: 2, failed: [], faults: [] },
  ]);
});

test('a failing test fails the run and is named in the report', async ({ after }) => {
  const run = await program(after, `test('a', () => assert.is(1, 2)); test('b', () => {}); test.run();`);
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a']);
  assert.is(run.reports[0]?.passed, 1);
});

test('a before that throws fails every test', async ({ after }) => {
  const run = await program(after, `test.before(() => { throw new Error('no server'); }); ${twoTests} test.run();`);
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a', 'b']);
  assert.match(run.output, 'no server');
});

test('after work still runs when before has failed, and its own failure fails the run', async ({ after }) => {
  const hooks = `test.before(() => { throw new Error('no server'); }); test.after(() => { throw new Error('left over'); });`;
  const run = await program(after, `${hooks} ${twoTests} test.run();`);
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a', 'b', '(after)']);
});

test('an after.each that throws fails its test and drops none', async ({ after }) => {
  const run = await program(after, `test.after.each(() => { throw new Error('each'); }); ${twoTests} test.run();`);
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a', 'b']);
});

test('a forgotten run() fails the run', async ({ after }) => {
  const run = await program(after, twoTests);
  assert.is(run.code, 1);
  assert.match(run.output, 'run() was never called');
});

test('a suite without tests fails the run', async ({ after }) => {
  const run = await program(after, 'test.run();');
  assert.is(run.code, 1);
  assert.match(run.output, 'no test was registered');
});

test('an exit in mid-run fails the run', async ({ after }) => {
  const run = await program(after, `test('a', () => process.exit(0)); test('b', () => {}); test.run();`);
  assert.is(run.code, 1);
  assert.match(run.output, '0 of 2 tests ran');
});

test('a test that never settles fails at its limit, its clean-up runs, the next test runs', async ({ after }) => {
  const hang = `test('a', (t) => { t.after(() => console.log('cleaned')); return new Promise((r) => setTimeout(r, 9000).unref()); });`;
  const run = await program(after, `${hang} test('b', () => {}); test.run();`, '{ limitMs: 200 }');
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a']);
  assert.is(run.reports[0]?.passed, 1);
  assert.match(run.output, 'not finished after 200 ms');
  assert.match(run.output, 'cleaned');
});

test('tests that run together begin in order, so many at a time, and each has its own outcome and clean-up', async ({
  after,
}) => {
  const text = `
    let running = 0;
    let most = 0;
    const order = [];
    for (const name of ['a', 'b', 'c', 'd']) test(name, async (t) => {
      order.push(name);
      most = Math.max(most, ++running);
      t.after(() => { running -= 1; });
      await new Promise((r) => setTimeout(r, name === 'a' ? 150 : 20));
      if (name === 'b') throw new Error('only b');
      if (name === 'd') console.log(order.join(''), most, running);
    });
    test.run();`;
  const run = await program(after, text, '{ together: 2 }');
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['b']);
  assert.is(run.reports[0]?.passed, 3);
  assert.match(run.output, 'abcd 2 2');
});

test('clean-up runs last-in first-out, and its failure fails the test', async ({ after }) => {
  const body = `t.after(() => { throw new Error('one'); }); t.after(() => console.log('two'));`;
  const run = await program(after, `test('a', (t) => { ${body} }); test.run();`);
  assert.is(run.code, 1);
  assert.ok(run.output.indexOf('two') < run.output.indexOf('one'), run.output);
});

test('a process that something keeps alive after the last test is ended as failed', async ({ after }) => {
  const open = `const { createServer } = await import('node:net'); createServer().listen(0);`;
  const run = await program(after, `${open} ${twoTests} test.run();`, '{ idleMs: 300 }');
  assert.is(run.code, 1);
  assert.match(run.output, 'keeps the process alive');
});

test('a promise that is rejected while nobody awaits it fails the test that runs, and no other', async ({ after }) => {
  const first = `test('a', async () => { void Promise.reject(new Error('stray')); await new Promise((done) => setTimeout(done, 50)); });`;
  const run = await program(after, `${first} test('b', () => {}); test.run();`);
  assert.is(run.code, 1);
  assert.equal(run.reports[0]?.failed, ['a']);
  assert.is(run.reports[0]?.passed, 1);
  assert.match(run.output, 'stray');
});

test('only and skip do not exist', async ({ after }) => {
  for (const word of ['only', 'skip']) {
    const run = await program(after, `test.${word}('a', () => {}); test.run();`);
    assert.is(run.code, 1, word);
  }
});

test('something else than an error, thrown, is a failure that can be read', async ({ after }) => {
  const run = await program(after, `test('a', () => { throw 'a word'; }); test.run();`);
  assert.is(run.code, 1);
  assert.match(run.output, 'thrown: a word');
});

test.run();

/** Runs `code`, in which `test` is a suite with the given options. */
async function program(after: (step: () => unknown) => void, code: string, options = '{}'): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'minimix-suite-'));
  after(() => rm(folder, { recursive: true }));
  const report = join(folder, 'report');
  await writeFile(report, '');
  const head = `import { suite, assert } from './test/support/suite.ts'; const test = suite('x', ${options});`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', `${head} ${code}`], {
    env: { ...process.env, TEST_REPORT: report, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const lines = (await readFile(report, 'utf8')).split('\n').filter(Boolean);
  return { code: exit, output, reports: lines.map((line) => JSON.parse(line)) };
}
