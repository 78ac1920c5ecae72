/** Alerts, dashboard and the autoscaler's metric ask for nothing that the proxy does not measure. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { WORKER_EXITS } from '../../proxy/ops/gather.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { assert, suite } from '../support/suite.ts';
import { sample } from './balanced.ts';
import { type Query, readQuery } from './promql.ts';

const test = suite('alerts and dashboard');

/** Where an expression stands, and what it says. */
interface Expression {
  readonly place: string;
  readonly text: string;
}

const rule = z.strictObject({
  alert: z.string().regex(/^Minimix[A-Za-z]+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[smh]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string().optional() }),
});
const alertFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule).min(1) })).min(1),
});

const panel = z.object({
  id: z.number(),
  type: z.enum(['row', 'stat', 'timeseries']),
  title: z.string().min(1),
  gridPos: z.strictObject({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string() })).optional(),
});
const dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.number(),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string(), query: z.string() })) }),
  panels: z.array(panel).min(1),
});

const alerts = alertFile.parse(parse(sample('prometheus/alerts.yaml')));
const board = dashboard.parse(JSON.parse(sample('grafana/minimix-proxy.json')));
const rules = alerts.groups.flatMap((group) => group.rules);

function expressions(): Expression[] {
  const ofAlerts = rules.map(({ alert, expr }) => ({ place: alert, text: expr }));
  const ofPanels = board.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ place: title, text: expr })),
  );
  return [...ofAlerts, ...ofPanels];
}

/** Of all metrics that the proxy has: the names of the series, and their labels with the values known from the start. */
async function knownSeries(): Promise<Map<string, Map<string, Set<string>>>> {
  const metrics = createMetrics();
  metrics.watchProcess();
  const series = new Map<string, Map<string, Set<string>>>();
  for (const { name, type, values } of await metrics.registry.getMetricsAsJSON()) {
    const labels = new Map<string, Set<string>>();
    const { labelNames } = metrics.registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    for (const label of labelNames) labels.set(label, new Set());
    for (const value of values) {
      for (const [label, text] of Object.entries(value.labels)) labels.get(label)?.add(String(text));
    }
    if (String(type) === 'histogram') {
      series.set(`${name}_bucket`, new Map([...labels, ['le', new Set<string>()]]));
      for (const part of ['count', 'sum']) series.set(`${name}_${part}`, labels);
    } else series.set(name, labels);
  }
  // The parent of worker processes has this one, and theirs.
  series.set(WORKER_EXITS.name, new Map(WORKER_EXITS.labelNames.map((name) => [name, new Set(['stop', 'crash'])])));
  series.set('up', new Map());
  return series;
}

/** What Prometheus adds to each series by itself. */
const added = ['job', 'instance'];

test('each expression is PromQL, and its metrics and labels are those of the proxy', async () => {
  const series = await knownSeries();
  const wrong: string[] = [];
  for (const { place, text } of expressions()) {
    const { selectors, labels }: Query = readQuery(text);
    assert.ok(selectors.length > 0, place);
    const known = new Set(added);
    for (const { metric } of selectors) {
      const ofMetric = series.get(metric);
      if (!ofMetric) wrong.push(`${place}: there is no ${metric}`);
      for (const label of ofMetric?.keys() ?? []) known.add(label);
    }
    for (const label of labels) if (!known.has(label)) wrong.push(`${place}: nothing has the label ${label}`);
  }
  assert.equal(wrong, []);
});

test('each value of a label that is asked for can come', async () => {
  const series = await knownSeries();
  const code = sources('proxy').join('\n');
  const wrong: string[] = [];
  for (const { place, text } of expressions()) {
    for (const { metric, labels } of readQuery(text).selectors) {
      for (const { name, values } of labels.filter((label) => !added.includes(label.name))) {
        const known = series.get(metric)?.get(name) ?? new Set();
        // Where the values are not known beforehand they are words of the code.
        const can = (value: string): boolean => (known.size > 0 ? known.has(value) : code.includes(`'${value}'`));
        for (const value of values) if (!can(value)) wrong.push(`${place}: ${name} is never ${value}`);
      }
    }
  }
  assert.equal(wrong, []);
});

test('alerts have names of their own, and the manual tells what to do about each', () => {
  const names = rules.map(({ alert }) => alert);
  assert.is(new Set(names).size, names.length);
  const manual = sample('README.md');
  assert.equal(
    names.filter((name) => !manual.includes(`\`${name}\``)),
    [],
  );
});

test('panels have ids of their own and do not overlap', () => {
  const ids = board.panels.map(({ id }) => id);
  assert.is(new Set(ids).size, ids.length);
  const taken = new Set<string>();
  for (const { title, gridPos } of board.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.not.ok(taken.has(`${x},${y}`), `${title} lies over another panel`);
        taken.add(`${x},${y}`);
      }
    }
  }
});

test('the variable of the dashboard, the autoscaler and its adapter ask for metrics that there are', async () => {
  const series = await knownSeries();
  const variable = board.templating.list.find(({ name }) => name === 'instance');
  const [, metric = ''] = /^label_values\((\w+), instance\)$/.exec(variable?.query ?? '') ?? [];
  assert.ok(series.has(metric), metric);
  const adapter = z
    .object({
      rules: z.object({ custom: z.array(z.object({ seriesQuery: z.string(), name: z.object({ as: z.string() }) })) }),
    })
    .parse(parse(sample('kubernetes/prometheus-adapter.yaml')));
  const offered = adapter.rules.custom.map(({ seriesQuery, name }) => {
    for (const { metric: asked } of readQuery(seriesQuery).selectors) assert.ok(series.has(asked), asked);
    return name.as;
  });
  const autoscaler = z
    .object({
      spec: z.object({
        metrics: z.array(z.object({ pods: z.object({ metric: z.object({ name: z.string() }) }).optional() })),
      }),
    })
    .parse(parse(sample('kubernetes/autoscaler.yaml')));
  const wanted = autoscaler.spec.metrics.flatMap(({ pods }) => (pods ? [pods.metric.name] : []));
  assert.ok(wanted.length > 0);
  for (const name of wanted) assert.ok(offered.includes(name), name);
});

test('the job that the alerts know is the one that is scraped', () => {
  const { scrape_configs: jobs } = z
    .object({ scrape_configs: z.array(z.object({ job_name: z.string() })) })
    .parse(parse(sample('prometheus/scrape.yaml')));
  const names = jobs.map(({ job_name }) => job_name);
  for (const { text, place } of expressions()) {
    for (const { labels } of readQuery(text).selectors) {
      for (const { name, values } of labels) {
        if (name === 'job')
          assert.ok(
            values.every((value) => names.includes(value)),
            place,
          );
      }
    }
  }
});

/** The text of all source files below a folder. */
function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

test.run();
