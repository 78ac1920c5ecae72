/**
 * What deploy/ says, set up on loopback: two nodes as they are run, each at an address of its own, a Redis, a server and both
 * load balancers, each with its very sample. Only addresses, ports, paths and the domain are others.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { parse, stringify } from 'yaml';
import { mainProgram } from '../scenarios/support/program.ts';
import { ensurePackages, packagesOf } from '../servers/install.ts';
import {
  type Certificate,
  Daemon,
  freePorts,
  inFolder,
  makeCertificate,
  removeFolder,
  tail,
  until,
} from '../servers/process.ts';

/** What a sample of deploy/ says. */
export function sample(name: string): string {
  return readFileSync(join('deploy', name), 'utf8');
}

/** Replaces what must be there: a sample that has changed must not slip through unreplaced. */
export function replaceAll(text: string, replacements: readonly (readonly [what: string, by: string])[]): string {
  let result = text;
  for (const [what, by] of replacements) {
    if (!result.includes(what)) throw new Error(`the sample does not say ${what}`);
    result = result.replaceAll(what, by);
  }
  return result;
}

/** What the samples call by a port's number, on any of the nodes' addresses or on the balancers'. */
export interface Ports {
  readonly starttls: number;
  readonly tls: number;
  readonly ws: number;
  readonly http: number;
}

/** A node in a process of its own. */
export interface Node {
  readonly address: string;
  readonly isRunning: boolean;
  start(): Promise<void>;
  /** SIGTERM; resolves when it has ended by itself. */
  stop(): Promise<void>;
  /** The status of `/readyz`, undefined while nobody answers. */
  ready(): Promise<number | undefined>;
  /** Addresses of clients, as its log has them for sessions. */
  clientAddresses(): string[];
  /** The sum of a metric over all its labels. */
  metric(name: string): Promise<number>;
}

export interface Balancer {
  readonly name: 'haproxy' | 'nginx';
  /** Where clients connect on 127.0.0.1; `web` is `wss`. */
  readonly ports: { readonly starttls: number; readonly tls: number; readonly web: number };
  /** HAProxy: a line for its admin socket. */
  command(line: string): Promise<string>;
}

export interface Place {
  readonly nodes: readonly [Node, Node];
  readonly balancers: readonly Balancer[];
  stop(): Promise<void>;
}

/** From where the balancers connect, which is not where clients do. */
const BALANCERS = '127.0.8.0/24';
const haproxyAddress = '127.0.8.1';
const nginxAddress = '127.0.8.2';

/**
 * Starts it all in front of a server (`xmpp://`) with what the nodes share in this Redis. `takesProxy`: the server wants to be told clients'
 * addresses by the PROXY protocol.
 */
export function startPlace(upstream: string, store: string, takesProxy: boolean): Promise<Place> {
  ensurePackages(packagesOf.balancers);
  return inFolder('deploy', async (folder) => {
    const certificate = await makeCertificate(folder);
    const [starttls, tls, ws, http] = (await freePorts(4)) as [number, number, number, number];
    const ports: Ports = { starttls, tls, ws, http };
    const files = { folder, certificate, upstream, store, takesProxy };
    // Of 127.0.0.0/8, which is all loopback: one set of ports does for both nodes then, as the samples have it.
    const nodes: [Node, Node] = [node('127.0.7.1', ports, files), node('127.0.7.2', ports, files)];
    const daemons: Daemon[] = [];
    const stop = async (): Promise<void> => {
      for (const daemon of daemons) await daemon.kill();
      await Promise.all(nodes.map((one) => one.stop()));
      removeFolder(folder);
    };
    try {
      await Promise.all(nodes.map((one) => one.start()));
      const addresses = nodes.map(({ address }) => address) as [string, string];
      const balancers = [
        await startHaproxy(folder, certificate, addresses, ports, daemons),
        await startNginx(folder, certificate, addresses, ports, daemons),
      ];
      return { nodes, balancers, stop };
    } catch (error) {
      const logs = ['haproxy', 'nginx', ...nodes.map(nameOf)].map((name) => tail(join(folder, `${name}.out`)));
      await stop();
      throw new Error(`${String(error)}\n${logs.join('\n')}`, { cause: error });
    }
  });
}

interface NodeFiles {
  readonly folder: string;
  readonly certificate: Certificate;
  readonly upstream: string;
  readonly store: string;
  readonly takesProxy: boolean;
}

interface NodeSample {
  listeners: { address: string }[];
  balancers: string[];
  hosts: Record<string, { upstream: string; 'client-address'?: string; certificate: { cert: string; key: string } }>;
  store: string;
  http: string;
}

function nameOf({ address }: { address: string }): string {
  return `node-${address}`;
}

function node(address: string, ports: Ports, files: NodeFiles): Node {
  const { folder } = files;
  let daemon: Daemon | undefined;
  const get = (path: string) => fetch(`http://${address}:${ports.http}${path}`, { signal: AbortSignal.timeout(2000) });
  const ready = () =>
    get('/readyz').then(
      (answer) => answer.status,
      () => undefined,
    );
  return {
    address,
    ready,
    get isRunning() {
      return daemon?.isRunning ?? false;
    },
    async start() {
      const file = join(folder, `${address}.yaml`);
      await writeFile(file, nodeConfiguration(address, ports, files));
      const args = [...mainProgram(), '--config', file];
      const started = new Daemon(folder, nameOf({ address }), process.execPath, args, {}, process.cwd());
      daemon = started;
      await until(`${address} to be ready`, 20_000, async () => {
        if (!started.isRunning) throw new Error(tail(started.logFile));
        return (await ready()) === 200;
      });
    },
    async stop() {
      await daemon?.stop(30_000);
    },
    clientAddresses: () =>
      readFileSync(join(folder, `${nameOf({ address })}.out`), 'utf8')
        .split('\n')
        .flatMap((line) => /"session":.*"address":"([^"]+)".*"msg":"session bound"/.exec(line)?.[1] ?? []),
    async metric(name) {
      const lines = (await (await get('/metrics')).text()).split('\n');
      const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
  };
}

function nodeConfiguration(
  address: string,
  ports: Ports,
  { certificate, upstream, store, takesProxy }: NodeFiles,
): string {
  const config = parse(sample('minimix-proxy.node.yaml')) as NodeSample;
  const at: Record<string, number> = {
    '0.0.0.0:5222': ports.starttls,
    '0.0.0.0:5223': ports.tls,
    '0.0.0.0:5280': ports.ws,
    '0.0.0.0:9090': ports.http,
  };
  const place = (sampled: string): string => {
    const port = at[sampled];
    if (port === undefined) throw new Error(`the sample has an address that is not expected: ${sampled}`);
    return `${address}:${port}`;
  };
  for (const listener of config.listeners) listener.address = place(listener.address);
  config.http = place(config.http);
  config.store = store;
  const { 'example.org': host, ...others } = config.hosts;
  if (!host || Object.keys(others).length > 0) throw new Error('the sample serves example.org');
  host.upstream = upstream;
  if (takesProxy) host['client-address'] = 'proxy-v2';
  if (config.balancers.length === 0) throw new Error('the sample has balancers');
  config.balancers = [BALANCERS];
  host.certificate = { cert: certificate.cert, key: certificate.key };
  config.hosts = { localhost: host };
  return stringify(config);
}

/** The samples name nodes and ports as `node1:5222`. */
function nodePorts([first, second]: readonly [string, string], { starttls, tls, ws }: Ports): [string, string][] {
  return [
    ['node1:5222', `${first}:${starttls}`],
    ['node2:5222', `${second}:${starttls}`],
    ['node1:5223', `${first}:${tls}`],
    ['node2:5223', `${second}:${tls}`],
    ['node1:5280', `${first}:${ws}`],
    ['node2:5280', `${second}:${ws}`],
  ];
}

async function startHaproxy(
  folder: string,
  certificate: Certificate,
  nodes: readonly [string, string],
  ports: Ports,
  daemons: Daemon[],
): Promise<Balancer> {
  const [starttls, tls, web] = (await freePorts(3)) as [number, number, number];
  const socket = join(folder, 'haproxy.sock');
  const file = join(folder, 'haproxy.cfg');
  const text = replaceAll(sample('haproxy/haproxy.cfg'), [
    ...nodePorts(nodes, ports),
    // How many a process may open is the machine's business.
    ['maxconn 40000', 'maxconn 1000'],
    ['  default-server ', `  source ${haproxyAddress}\n  default-server `],
    ['check port 9090', `check port ${ports.http}`],
    ['bind :5222', `bind 127.0.0.1:${starttls}`],
    ['bind :5223', `bind 127.0.0.1:${tls}`],
    ['bind :443', `bind 127.0.0.1:${web}`],
    ['/etc/haproxy/certs/', certificate.both],
    ['/var/lib/haproxy/admin.sock', socket],
  ]);
  await writeFile(file, text);
  const daemon = new Daemon(folder, 'haproxy', '/usr/sbin/haproxy', ['-db', '-f', file]);
  daemons.push(daemon);
  for (const port of [starttls, tls, web]) await daemon.listening(port);
  return { name: 'haproxy', ports: { starttls, tls, web }, command: (line) => ask(socket, line) };
}

async function startNginx(
  folder: string,
  certificate: Certificate,
  nodes: readonly [string, string],
  ports: Ports,
  daemons: Daemon[],
): Promise<Balancer> {
  const [starttls, tls, web] = (await freePorts(3)) as [number, number, number];
  const file = join(folder, 'nginx.conf');
  const isRoot = process.getuid?.() === 0;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path ${folder}/${one};`,
  );
  const text = replaceAll(sample('nginx/nginx.conf'), [
    ...nodePorts(nodes, ports),
    ['listen 5222 ', `listen 127.0.0.1:${starttls} `],
    ['listen 5223 ', `listen 127.0.0.1:${tls} `],
    ['listen 443 ', `listen 127.0.0.1:${web} `],
    ['/etc/nginx/certs/example.org.crt', certificate.cert],
    ['/etc/nginx/certs/example.org.key', certificate.key],
    ['worker_rlimit_nofile 100000;', ''],
    ['worker_connections 40000;', 'worker_connections 1000;'],
    ['pid /run/nginx.pid', `pid ${join(folder, 'nginx.pid')}`],
    ['  proxy_protocol on;', `  proxy_protocol on; proxy_bind ${nginxAddress};`],
    ['    proxy_http_version 1.1;', `    proxy_http_version 1.1; proxy_bind ${nginxAddress};`],
    ['access_log off;', `access_log off; ${temporary.join(' ')}`],
    ['user www-data;', isRoot ? 'user www-data;' : ''],
  ]);
  await writeFile(file, text);
  // One process: its workers would outlive a master that is killed.
  const args = ['-c', file, '-e', 'stderr', '-g', 'daemon off; master_process off;'];
  const daemon = new Daemon(folder, 'nginx', '/usr/sbin/nginx', args);
  daemons.push(daemon);
  for (const port of [starttls, tls, web]) await daemon.listening(port);
  const command = (): Promise<string> => Promise.reject(new Error('nginx has no admin socket'));
  return { name: 'nginx', ports: { starttls, tls, web }, command };
}

/** One line to a unix socket, and all that is answered. */
function ask(socket: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    connect(socket)
      .on('error', reject)
      .on('data', (data) => {
        answer += data.toString();
      })
      .on('end', () => resolve(answer.trim()))
      .end(`${line}\n`);
  });
}
