/** Metrics of several processes as those of one. */
import { Gathered, type Measured } from '../../proxy/ops/gather.ts';
import { createMetrics, type Metrics } from '../../proxy/ops/metrics.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('ops/gather');

/** As it comes from another process. */
async function measured(metrics: Metrics): Promise<Measured> {
  return structuredClone(await metrics.measured());
}

function numberAt(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return Number(line?.split(' ')[1]);
}

async function two(): Promise<{ gathered: Gathered; workers: [Metrics, Metrics] }> {
  const workers: [Metrics, Metrics] = [createMetrics(), createMetrics()];
  const gathered = new Gathered();
  for (const [index, metrics] of workers.entries()) {
    metrics.workers.set(1);
    metrics.sessions.set({ transport: 'tcp' }, 10 + index);
    metrics.hot.stanzasForked = 100 + index;
    metrics.joins.inc({ result: 'local' }, 3);
    metrics.redisSeconds.observe({ command: 'join' }, 0.002);
    metrics.redisUp.set(index);
    metrics.peers.set(index + 1);
    gathered.put(index, await measured(metrics));
  }
  return { gathered, workers };
}

test('counters, levels and times are added up; what does not add up is not', async () => {
  const { gathered } = await two();
  const text = await gathered.render();
  assert.is(numberAt(text, 'minimix_workers'), 2);
  assert.is(numberAt(text, 'minimix_sessions{transport="tcp"}'), 21);
  assert.is(numberAt(text, 'minimix_stanzas_forked_total'), 201);
  assert.is(numberAt(text, 'minimix_joins_total{result="local"}'), 6);
  assert.is(numberAt(text, 'minimix_redis_command_seconds_count{command="join"}'), 2);
  assert.is(numberAt(text, 'minimix_redis_command_seconds_bucket{le="0.0025",command="join"}'), 2);
  assert.is(numberAt(text, 'minimix_redis_up'), 0);
  assert.is(numberAt(text, 'minimix_cluster_peers'), 2);
});

test('what a worker that is gone had counted stays, its levels go; the next one counts on', async () => {
  const { gathered } = await two();
  gathered.drop(0);
  gathered.exits.inc({ reason: 'crash' });
  let text = await gathered.render();
  assert.is(numberAt(text, 'minimix_stanzas_forked_total'), 201);
  assert.is(numberAt(text, 'minimix_redis_command_seconds_count{command="join"}'), 2);
  assert.is(numberAt(text, 'minimix_sessions{transport="tcp"}'), 11);
  assert.is(numberAt(text, 'minimix_workers'), 1);
  assert.is(numberAt(text, 'minimix_worker_exits_total{reason="crash"}'), 1);
  const next = createMetrics();
  next.hot.stanzasForked = 5;
  gathered.put(0, await measured(next));
  gathered.drop(0);
  gathered.drop(1);
  text = await gathered.render();
  assert.is(numberAt(text, 'minimix_stanzas_forked_total'), 206);
});

test('a parent shows every name that a process alone shows', async () => {
  const { gathered, workers } = await two();
  const names = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('# TYPE minimix_'))
      .sort();
  assert.equal(names(await gathered.render()), names(await workers[0].render()));
});

test.run();
