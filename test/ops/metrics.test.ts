/** What Prometheus is told (O2). */
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('metrics');

/** Lines of one metric. */
async function series(metrics: { render(): Promise<string> }, name: string): Promise<string[]> {
  const text = await metrics.render();
  return text.split('\n').filter((line) => line.startsWith(`minimix_${name}{`) || line.startsWith(`minimix_${name} `));
}

test('the fields of the hot path are read when they are asked for, each time anew', async () => {
  const metrics = createMetrics();
  metrics.hot.stanzasUp += 3;
  metrics.hot.bytesOutUpstream += 1000;
  const expected = [
    'minimix_stanzas_relayed_total{direction="up"} 3',
    'minimix_stanzas_relayed_total{direction="down"} 0',
  ];
  assert.equal(await series(metrics, 'stanzas_relayed_total'), expected);
  assert.equal(await series(metrics, 'stanzas_relayed_total'), expected, 'a second scrape adds nothing');
  metrics.hot.stanzasUp++;
  assert.equal((await series(metrics, 'stanzas_relayed_total'))[0], 'minimix_stanzas_relayed_total{direction="up"} 4');
  assert.ok(
    (await series(metrics, 'bytes_total')).includes('minimix_bytes_total{direction="out",leg="upstream"} 1000'),
  );
});

test('names follow the conventions: prefix, _total for what only grows and for nothing else', async () => {
  const metrics = createMetrics();
  const types = (await metrics.render()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  let found = 0;
  for (const [, name = '', type] of types) {
    found++;
    assert.match(name, /^minimix_[a-z]+(_[a-z]+)*$/);
    assert.is(name.endsWith('_total'), type === 'counter', name);
  }
  assert.ok(found > 20);
});

test('series of closed sets exist from the start, so that a first event shows as an increase', async () => {
  const metrics = createMetrics();
  assert.is((await series(metrics, 'joins_total')).length, 4);
  assert.is((await series(metrics, 'legs')).length, 4);
});

test('no label ever holds a JID, whatever is passed', async () => {
  const metrics = createMetrics();
  const jid = 'juliet@example.org/balcony';
  metrics.sasl.inc({ mechanism: jid, result: 'success' });
  metrics.drops.inc({ reason: jid });
  metrics.streamErrors.inc({ condition: jid, leg: 'upstream' });
  metrics.violations.inc({ condition: jid });
  metrics.handovers.inc({ result: jid });
  metrics.accountStreamsFailed.inc({ reason: jid });
  metrics.connectionsRefused.inc({ kind: 'tcp', reason: jid });
  const text = await metrics.render();
  assert.not.match(text, 'juliet');
  assert.match(text, 'minimix_sasl_total{mechanism="other",result="success"} 1');
});

test('a label has a bounded number of values', async () => {
  const metrics = createMetrics();
  for (let index = 0; index < 500; index++) metrics.drops.inc({ reason: `reason-${index}` });
  const lines = await series(metrics, 'drops_total');
  assert.is(lines.length, 65);
  assert.ok(lines.includes('minimix_drops_total{reason="other"} 436'));
});

test('known mechanisms and conditions keep their names', async () => {
  const metrics = createMetrics();
  metrics.sasl.inc({ mechanism: 'SCRAM-SHA-256', result: 'failure' });
  metrics.streamErrors.inc({ condition: 'conflict', leg: 'downstream' }, 2);
  const text = await metrics.render();
  assert.match(text, 'minimix_sasl_total{mechanism="SCRAM-SHA-256",result="failure"} 1');
  assert.match(text, 'minimix_stream_errors_total{condition="conflict",leg="downstream"} 2');
});

test('gauges go up and down, and can be set at each scrape', async () => {
  const metrics = createMetrics();
  metrics.sessions.inc({ transport: 'tcp' });
  metrics.sessions.inc({ transport: 'tcp' });
  metrics.sessions.dec({ transport: 'tcp' });
  let accounts = 5;
  metrics.onScrape(() => metrics.accounts.set(accounts));
  assert.ok((await series(metrics, 'sessions')).includes('minimix_sessions{transport="tcp"} 1'));
  assert.equal(await series(metrics, 'accounts'), ['minimix_accounts 5']);
  accounts = 6;
  assert.equal(await series(metrics, 'accounts'), ['minimix_accounts 6']);
});

test('two apps in one process do not share metrics', async () => {
  const [one, two] = [createMetrics(), createMetrics()];
  one.joinsSaved.inc();
  one.watchProcess();
  one.watchProcess();
  two.watchProcess();
  assert.equal(await series(one, 'joins_saved_total'), ['minimix_joins_saved_total 1']);
  assert.equal(await series(two, 'joins_saved_total'), ['minimix_joins_saved_total 0']);
  assert.match(await two.render(), /^nodejs_eventloop_lag_p99_seconds /m);
});

test.run();
