/** What the log says, and what it never says (O3, X4). */
import { captureLog, createLog, silentLog } from '../../proxy/ops/log.ts';
import { redact } from '../../proxy/ops/redact.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('log');

function record(level: 'debug' | 'info' | 'silent', format: 'json' | 'pretty' = 'json') {
  const lines: string[] = [];
  return { lines, log: createLog({ level, format, destination: { write: (line) => void lines.push(line) } }) };
}

class Stanza {
  readonly text = '<body>secret talk</body>';
}

test('a line is one JSON object with time, level, fields and message', () => {
  const { lines, log } = record('info');
  log.child({ leg: 'c1' }).child({ session: 's1' }).warn({ rooms: 2 }, 'slow');
  assert.is(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.equal(rest, { level: 'warn', leg: 'c1', session: 's1', rooms: 2, msg: 'slow' });
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.match(lines[0] ?? '', /}\n$/);
});

test('lines below the level are not written, nor are their fields looked at', () => {
  const { lines, log } = record('info');
  const trap = {
    get field(): string {
      throw new Error('looked at');
    },
  };
  log.debug(trap, 'no');
  record('silent').log.error(trap, 'no');
  assert.equal(lines, []);
});

test('what is named like a secret is masked, at any depth', () => {
  const { lines, log } = record('debug');
  const fields = {
    password: 'geheim',
    userPassword: 'geheim',
    sasl: { initialResponse: 'geheim', list: [{ token: 'geheim' }] },
  };
  log.child({ clientSecret: 'geheim' }).info(fields, 'auth');
  assert.not.match(lines[0] ?? '', 'geheim');
  assert.match(lines[0] ?? '', '"initialResponse":"[masked]"');
});

test('secrets inside of text are masked', () => {
  const error = redact(new Error('connect redis://u:geheim@host:1/0 failed')) as Record<string, string>;
  assert.is(error.message, 'connect redis://[masked]@host:1/0 failed');
  assert.not.match(error.stack ?? '', 'geheim');
  assert.is(redact('-----BEGIN PRIVATE KEY-----\ngeheim'), '[masked]');
  assert.is(redact('juliet@example.org/balcony'), 'juliet@example.org/balcony');
});

test('no stanza gets in with an object: bytes are counted, objects of classes are named', () => {
  assert.equal(redact({ bytes: Buffer.from('<body/>'), stanza: new Stanza(), map: new Map([['a', 'b']]) }), {
    bytes: '[7 bytes]',
    stanza: '[Stanza]',
    map: '[Map]',
  });
});

test('size is bounded: long text, long lists, deep objects, circles', () => {
  assert.match(String(redact('x'.repeat(5000))), /^x{1000}… \(5000 characters\)$/);
  assert.is((redact(Array(1000).fill(1)) as unknown[]).length, 21);
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  assert.ok(JSON.stringify(redact(circle)).length < 200);
});

test('errors show their code, or their stack when they have none', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  assert.equal(redact(refused), { name: 'Error', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' });
  const wrapped = redact(new TypeError('boo', { cause: refused })) as Record<string, unknown>;
  assert.match(String(wrapped.stack), /TypeError: boo\n/);
  assert.equal(wrapped.cause, redact(refused));
});

test('odd values do not break a line', () => {
  const { lines, log } = record('debug');
  log.info({ a: 1n, b: undefined, c: null, d: () => 1, e: Symbol('x'), f: new Date(Number.NaN), g: Number.NaN }, 'odd');
  const { time: _, ...rest } = JSON.parse(lines[0] ?? '');
  assert.equal(rest, { level: 'info', a: '1', c: null, d: '[function]', e: '[symbol]', f: null, g: null, msg: 'odd' });
});

test('the pretty form is one line of text', () => {
  const { lines, log } = record('info', 'pretty');
  log.info({ host: 'example.org', reason: 'a b', count: 3 }, 'listening');
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening host=example\.org reason="a b" count=3\n$/);
});

test('the capturing log keeps lines as the real one would write them', () => {
  const log = captureLog();
  log.child({ leg: 'c1' }).error({ password: 'geheim' }, 'failed');
  assert.equal(log.lines, [{ level: 'error', fields: { leg: 'c1', password: '[masked]' }, message: 'failed' }]);
  silentLog.child({ a: 1 }).error({}, 'nobody hears');
});

test('for people: what a terminal would obey is escaped', () => {
  const { lines, log } = record('info', 'pretty');
  log.info({ one: 'a\u001b[2Jb', two: 'a\u009b2Jb', three: 'a \u202eb', error: { text: 'x\ny' } }, 'said');
  assert.match(lines[0] ?? '', /^[^\p{C}]*\n$/u);
  assert.match(lines[0] ?? '', 'two="a\\u{9b}2Jb"');
});

test.run();
