/** The proxy takes each configuration of deploy/, and the ports, paths, users and times around it are those that it serves. */
import { readdirSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { variableOf } from '../../proxy/config/environment.ts';
import { listKeys } from '../../proxy/config/keys.ts';
import { type Config, loadAll, parseArguments } from '../../proxy/config.ts';
import { assert, suite } from '../support/suite.ts';
import { sample } from './balanced.ts';

const test = suite('settings in deploy/');

/** After `drain.timeout` a stop takes 1 s to take leave and 5 s to close streams. */
const CLOSING_MS = 6000;

/** The whole configuration of a node, with what its container adds by variables. */
function loaded(text: string, env: Record<string, string> = {}): Config {
  const result = loadAll({ env, readFile: () => text }, parseArguments(['--config', 'sample']));
  if (Array.isArray(result)) throw new Error(result.map(({ message }) => message).join('\n'));
  // Between nodes and Redis the samples have a private network.
  assert.equal(
    result.warnings.filter((warning) => !warning.includes('password of the store')),
    [],
  );
  return result.config;
}

function portsOf(config: Config): number[] {
  return [...config.listeners.map(({ port }) => port), config.http?.port ?? 0].sort();
}

const store = 'redis://minimix:secret@redis:6379';

test('minimix-proxy.node.yaml', () => {
  const config = loaded(sample('minimix-proxy.node.yaml'));
  assert.is(config.store.kind, 'redis');
  assert.equal(portsOf(config), [5222, 5223, 5280, 9090]);
});

const service = z.object({
  image: z.string().optional(),
  build: z
    .union([
      z.strictObject({ context: z.string(), dockerfile: z.string() }),
      z.strictObject({ dockerfile_inline: z.string() }),
    ])
    .optional(),
  volumes: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  depends_on: z
    .record(z.string(), z.strictObject({ condition: z.enum(['service_healthy', 'service_started']) }))
    .optional(),
  ports: z.array(z.string().regex(/^\d+:\d+$/)).optional(),
  networks: z.array(z.string()),
  restart: z.literal('unless-stopped'),
  stop_grace_period: z.string().optional(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  command: z.array(z.string()).optional(),
});
const compose = z.strictObject({
  name: z.string(),
  'x-node': z.unknown(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.strictObject({})),
  networks: z.record(
    z.string(),
    z.strictObject({ ipam: z.strictObject({ config: z.array(z.strictObject({ subnet: z.string() })).length(1) }) }),
  ),
});

const composed = compose.parse(parse(sample('compose/compose.yaml'), { merge: true }));

test('compose: services, volumes and networks that are named exist, and so do the files that are mounted', () => {
  const { services, volumes, networks } = composed;
  for (const [name, one] of Object.entries(services)) {
    for (const other of Object.keys(one.depends_on ?? {})) assert.ok(services[other], `${name} depends on ${other}`);
    for (const network of one.networks) assert.ok(networks[network], network);
    for (const volume of one.volumes ?? []) {
      const [from = ''] = volume.split(':');
      if (/^\.{1,2}\//.test(from)) assert.ok(isThere(`compose/${from}`), `${name}: ${from}`);
      else assert.ok(volumes[from], `${name}: ${from}`);
    }
    for (const [other, { condition }] of Object.entries(one.depends_on ?? {})) {
      // The nodes have theirs in the image.
      const isWatched = services[other]?.healthcheck !== undefined || other.startsWith('node');
      assert.ok(condition === 'service_started' || isWatched, `${name} waits for the health of ${other}`);
    }
  }
});

test('compose: the nodes find Redis, Prosody and each other under the names that they use', () => {
  const { services } = composed;
  const config = loaded(sample('compose/minimix-proxy.yaml'), services.node1?.environment);
  assert.is(config.store.kind, 'redis');
  if (config.store.kind === 'redis') for (const { host } of config.store.nodes) assert.ok(services[host], host);
  for (const { upstream } of Object.values(config.hosts)) {
    assert.ok(services[upstream.host], upstream.host);
    assert.match(sample('prosody/prosody.cfg.lua'), `c2s_ports = { ${upstream.port} }`);
  }
  assert.equal(Object.keys(config.hosts), [services.prosody?.environment?.XMPP_DOMAIN]);
  const { balancer: _, ...nodes } = balancedNodes();
  for (const [name, ports] of Object.entries(nodes)) {
    assert.ok(services[name], name);
    for (const port of ports) assert.ok(portsOf(config).includes(port), `${name}:${port}`);
  }
  const seconds = /^(\d+)s$/.exec(services.node1?.stop_grace_period ?? '');
  assert.ok(Number(seconds?.[1]) * 1000 > config.drain.timeoutMs + CLOSING_MS, 'stop_grace_period');
});

test("compose: the network is the one from which the nodes believe what clients' addresses are", () => {
  const { listeners } = loaded(sample('compose/minimix-proxy.yaml'));
  const subnets = composed.networks.inner?.ipam.config.map(({ subnet }) => subnet);
  for (const { balancers } of listeners) assert.equal([...balancers], subnets);
});

test('listeners that want the PROXY protocol are those to which the balancers send it', () => {
  const { listeners } = loaded(sample('minimix-proxy.node.yaml'));
  const wanting = listeners.filter(({ proxyProtocol }) => proxyProtocol).map(({ port }) => port);
  assert.equal(
    wanting,
    loaded(sample('compose/minimix-proxy.yaml'))
      .listeners.filter((one) => one.proxyProtocol)
      .map(({ port }) => port),
  );
  const sending = [...sample('haproxy/haproxy.cfg').matchAll(/server node1 node1:(\d+) send-proxy-v2$/gm)];
  assert.equal([...new Set(sending.map(([, port]) => Number(port)))], wanting);
  const [, stream = ''] = /^stream \{([\s\S]*?)^\}/m.exec(sample('nginx/nginx.conf')) ?? [];
  assert.match(stream, 'proxy_protocol on;');
});

test('compose: outside ports are those that HAProxy listens on', () => {
  const bound = [...sample('haproxy/haproxy.cfg').matchAll(/^ +bind :(\d+)/gm)].map(([, port]) => `${port}:${port}`);
  assert.equal(composed.services.haproxy?.ports, bound);
});

test('the nodes log in to Redis as the user that redis.conf knows, who may do what the manual of settings says', () => {
  const [, user, password, rights] = /^user (\w+) on >(\S+) (.*)$/m.exec(sample('redis/redis.conf')) ?? [];
  for (const file of ['minimix-proxy.node.yaml', 'compose/minimix-proxy.yaml']) {
    const { store: used } = loaded(sample(file));
    assert.is(used.kind === 'redis' ? `${used.username} ${used.password}` : '', `${user} ${password}`);
  }
  const [, reference = ''] = /^# {3}(~minimix:\*[\s\S]*?)^store:/m.exec(sample('minimix-proxy.example.yaml')) ?? [];
  assert.is(rights, reference.replaceAll('#', ' ').trim().split(/\s+/).join(' '));
  const { healthcheck } = composed.services.redis ?? {};
  assert.ok(healthcheck?.test.join(' ').includes(`--user ${user} --pass ${password}`));
});

/** Names and ports of nodes, as both balancers have them. */
function balancedNodes(): Record<string, number[]> {
  const found = (text: string): Record<string, number[]> => {
    const nodes: Record<string, Set<number>> = {};
    for (const [, name = '', port] of text.matchAll(/server(?: \w+)? (node\d):(\d+)/g)) {
      nodes[name] ??= new Set();
      nodes[name].add(Number(port));
    }
    return Object.fromEntries(Object.entries(nodes).map(([name, ports]) => [name, [...ports].sort()]));
  };
  const haproxy = found(sample('haproxy/haproxy.cfg'));
  assert.equal(haproxy, found(sample('nginx/nginx.conf')));
  assert.equal(Object.keys(haproxy), ['node1', 'node2']);
  return haproxy;
}

test('balancers: ports of the nodes, paths of health and WebSocket, and time-outs above the sign of life', () => {
  const config = loaded(sample('minimix-proxy.node.yaml'));
  for (const ports of Object.values(balancedNodes())) {
    assert.equal(
      ports,
      config.listeners.map(({ port }) => port),
    );
  }
  const haproxy = sample('haproxy/haproxy.cfg');
  const nginx = sample('nginx/nginx.conf');
  assert.match(haproxy, `check port ${config.http?.port} `);
  const path = config.listeners.find(({ kind }) => kind === 'websocket')?.path;
  assert.match(haproxy, `{ path ${path} }`);
  assert.match(nginx, `location = ${path} {`);
  const minutes = [
    ...`${haproxy}\n${nginx}`.matchAll(/(?:timeout (?:client|server|tunnel)|(?:proxy|read|send)_timeout) (\d+)m/g),
  ];
  assert.is(minutes.length, 6);
  for (const [line, count] of minutes) assert.ok(Number(count) * 60_000 > 2 * config.limits.pingMs, line);
});

test('variables that any file sets are settings', () => {
  const known = new Set(listKeys().map(({ path }) => variableOf(path)));
  for (const file of readdirSync('deploy', { recursive: true, encoding: 'utf8' })) {
    if (!/\.(yaml|yml|service|md)$|Dockerfile$/.test(file)) continue;
    for (const [name] of sample(file).matchAll(/\bMINIMIX_[A-Z_]+/g)) {
      const isSpecial = ['MINIMIX_CONFIG', 'MINIMIX_LISTEN', 'MINIMIX_HOST', 'MINIMIX_UPSTREAM', 'MINIMIX_'].includes(
        name,
      );
      assert.ok(isSpecial || known.has(name), `${file}: ${name}`);
    }
  }
});

const probe = z.object({ httpGet: z.strictObject({ path: z.enum(['/healthz', '/readyz']), port: z.string() }) });
const container = z.object({
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.number() })),
  env: z.array(
    z.strictObject({
      name: z.string(),
      valueFrom: z.strictObject({
        secretKeyRef: z.strictObject({ name: z.string(), key: z.string(), optional: z.boolean().optional() }),
      }),
    }),
  ),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: z.object({
    preStop: z.strictObject({ exec: z.strictObject({ command: z.tuple([z.literal('sleep'), z.string()]) }) }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), subPath: z.string().optional() })),
});
const labels = z.strictObject({ 'app.kubernetes.io/name': z.literal('minimix-proxy') });
const selector = z.strictObject({ matchLabels: labels });
const metadata = z.object({ name: z.string(), labels: labels.optional() });
const deployment = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata,
  spec: z.strictObject({
    selector,
    strategy: z.strictObject({
      type: z.literal('RollingUpdate'),
      rollingUpdate: z.strictObject({ maxSurge: z.literal(1), maxUnavailable: z.literal(0) }),
    }),
    minReadySeconds: z.number(),
    template: z.strictObject({
      metadata: z.object({ labels, annotations: z.record(z.string(), z.string()) }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.number().min(1) }),
        containers: z.array(container).length(1),
        volumes: z.array(
          z.strictObject({
            name: z.string(),
            configMap: z.strictObject({ name: z.string() }).optional(),
            secret: z.strictObject({ secretName: z.string(), defaultMode: z.number() }).optional(),
          }),
        ),
      }),
    }),
  }),
});
const configMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata,
  data: z.strictObject({ 'minimix-proxy.yaml': z.string() }),
});
const kubernetesService = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata,
  spec: z.object({
    selector: labels,
    ports: z.array(z.strictObject({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});
const disruptionBudget = z.strictObject({
  apiVersion: z.literal('policy/v1'),
  kind: z.literal('PodDisruptionBudget'),
  metadata,
  spec: z.strictObject({ maxUnavailable: z.literal(1), selector }),
});
const autoscaler = z.strictObject({
  apiVersion: z.literal('autoscaling/v2'),
  kind: z.literal('HorizontalPodAutoscaler'),
  metadata,
  spec: z.object({
    scaleTargetRef: z.strictObject({
      apiVersion: z.literal('apps/v1'),
      kind: z.literal('Deployment'),
      name: z.string(),
    }),
    minReplicas: z.number().min(2),
    maxReplicas: z.number().min(2),
  }),
});
const policyPorts = z.array(z.strictObject({ port: z.string(), protocol: z.literal('TCP') }));
const networkPolicy = z.strictObject({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('NetworkPolicy'),
  metadata,
  spec: z.object({
    podSelector: selector,
    ingress: z.array(z.object({ from: z.array(z.unknown()).optional(), ports: policyPorts })),
  }),
});

/** All objects of one kind in one file. */
function manifests<T>(file: string, schema: z.ZodType<T>): T[] {
  const documents = parseAllDocuments(sample(`kubernetes/${file}`));
  if (!Array.isArray(documents)) throw new Error(`${file} is empty`);
  return documents.map((document) => schema.parse(document.toJS()));
}

function manifest<T>(file: string, schema: z.ZodType<T>): T {
  return manifests(file, schema)[0] as T;
}

test('Kubernetes: kustomization.yaml names every manifest', () => {
  const { resources } = z
    .object({
      apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
      kind: z.literal('Kustomization'),
      resources: z.array(z.string()),
    })
    .parse(parse(sample('kubernetes/kustomization.yaml')));
  const files = readdirSync('deploy/kubernetes').filter(
    (name) => !/^(kustomization|prometheus-adapter)\.yaml$/.test(name),
  );
  assert.equal([...resources].sort(), files.sort());
});

test('Kubernetes: configuration, ports, probes and times of the deployment belong together', () => {
  const { metadata: map, data } = manifest('configuration.yaml', configMap);
  const config = loaded(data['minimix-proxy.yaml'], { MINIMIX_STORE: store });
  const { template } = manifest('deployment.yaml', deployment).spec;
  const [pod] = template.spec.containers;
  if (!pod) throw new Error('no container');
  const byName = new Map(pod.ports.map(({ name, containerPort }) => [name, containerPort]));
  assert.equal([...byName.values()].sort(), portsOf(config));
  assert.equal(
    pod.env.map(({ name }) => name),
    ['MINIMIX_STORE', 'MINIMIX_SEALING_SECRET_KEY'],
  );
  for (const { httpGet } of [pod.livenessProbe, pod.readinessProbe, pod.startupProbe]) {
    assert.is(byName.get(httpGet.port), config.http?.port);
  }
  assert.is(pod.livenessProbe.httpGet.path, '/healthz');
  assert.is(pod.readinessProbe.httpGet.path, '/readyz');
  assert.is(template.metadata.annotations['prometheus.io/port'], String(config.http?.port));
  assert.is(template.metadata.annotations['prometheus.io/path'], '/metrics');
  const before = Number(pod.lifecycle.preStop.exec.command[1]) * 1000;
  const grace = template.spec.terminationGracePeriodSeconds * 1000;
  assert.ok(grace > before + config.drain.timeoutMs + CLOSING_MS, 'terminationGracePeriodSeconds');

  const volumes = new Map(template.spec.volumes.map((volume) => [volume.name, volume]));
  for (const { name } of pod.volumeMounts) assert.ok(volumes.has(name), name);
  assert.is(volumes.get('configuration')?.configMap?.name, map.name);
  const mounted = pod.volumeMounts.find(({ name }) => name === 'configuration');
  assert.is(mounted?.subPath, Object.keys(data)[0]);
  assert.is(mounted?.mountPath, '/etc/minimix/minimix-proxy.yaml');
  const keys = pod.volumeMounts.find(({ name }) => name === 'certificate')?.mountPath;
  for (const { certificate } of Object.values(config.hosts)) {
    assert.equal(certificate, { cert: `${keys}/tls.crt`, key: `${keys}/tls.key` });
  }
});

test('Kubernetes: services, budget, autoscaler and policy speak of the deployment and of its ports', () => {
  const { metadata: named, spec } = manifest('deployment.yaml', deployment);
  const names = new Set(spec.template.spec.containers[0]?.ports.map(({ name }) => name));
  const services = manifests('service.yaml', kubernetesService);
  assert.is(services.length, 2);
  const served = services.flatMap((one) => one.spec.ports.map(({ targetPort }) => targetPort));
  assert.equal(served, ['xmpp', 'xmpps', 'websocket']);
  manifest('disruption-budget.yaml', disruptionBudget);
  assert.is(manifest('autoscaler.yaml', autoscaler).spec.scaleTargetRef.name, named.name);
  const { ingress } = manifest('network-policy.yaml', networkPolicy).spec;
  const open = ingress.filter(({ from }) => from === undefined).flatMap(({ ports }) => ports.map(({ port }) => port));
  assert.equal(open, ['xmpp', 'xmpps']);
  assert.equal(ingress.flatMap(({ ports }) => ports.map(({ port }) => port)).sort(), [...names].sort());
});

/** Whether a path below deploy/ leads to something. */
function isThere(path: string): boolean {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  const name = parts.pop() as string;
  return readdirSync(['deploy', ...parts].join('/')).includes(name);
}

test.run();
