/** The programs under measurement, each in a process of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon, freePorts, inFolder, removeFolder } from '../servers/process.ts';
import { cpuSeconds } from './measure.ts';

/** A program that clients connect to. */
export interface Program {
  readonly port: number;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export interface LoadServer extends Program {
  /** Stanzas and bytes that have come from bound clients so far. */
  counters(): Promise<{ stanzas: number; bytes: number }>;
}

export interface ProxyProgram extends Program {
  readonly pid: number;
  /** Value of a metric, summed over the labels that contain `label`. */
  metric(name: string, label?: string): Promise<number>;
}

/** The bare TCP pipe, in front of that port. */
export function startPipe(upstreamPort: number): Promise<Program> {
  return startScript('pipe.ts', [String(upstreamPort)]);
}

/** The minimal XMPP server of load-server.ts. Its room has so many occupants. */
export async function startLoadServer(occupants = 20): Promise<LoadServer> {
  const program = await startScript('load-server.ts', [String(occupants)]);
  return {
    ...program,
    counters: () =>
      new Promise((resolve) => {
        program.child.once('message', (message) => resolve(message as { stanzas: number; bytes: number }));
        program.child.send('counters');
      }),
  };
}

async function startScript(name: string, args: string[]): Promise<Program & { child: ChildProcess }> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = fork(file, args, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { port: number }).port));
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
  return {
    child,
    port,
    pids: [child.pid as number],
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

/** Options for Node and the built program, such as `['--cpu-prof', 'dist/proxy/main.js']`. */
export type ProxyCommand = readonly string[];

/** The proxy as it is delivered, in front of a server on that port, with one trusted plain TCP listener and `more` settings. */
export function startProxy(command: ProxyCommand, upstreamPort: number, more: object = {}): Promise<ProxyProgram> {
  return inFolder('bench', async (folder) => {
    const [port, http] = (await freePorts(2)) as [number, number];
    const config = {
      listeners: [{ kind: 'tcp', address: `127.0.0.1:${port}`, tls: 'none', trusted: true }],
      hosts: { localhost: { upstream: `xmpp://127.0.0.1:${upstreamPort}` } },
      http: `127.0.0.1:${http}`,
      // The load is meant to come as fast as it can.
      rate: { carrier: { 'per-second': 0 } },
      ...more,
    };
    const file = join(folder, 'config.yaml');
    writeFileSync(file, JSON.stringify(config));
    const daemon = new Daemon(folder, 'proxy', process.execPath, [...command, '--config', file]);
    await daemon.listening(port);
    return {
      port,
      pid: daemon.pid,
      pids: [daemon.pid],
      metric: (name, label = '') => metric(`http://127.0.0.1:${http}/metrics`, name, label),
      async stop() {
        await daemon.stop();
        removeFolder(folder);
      },
    };
  });
}

async function metric(url: string, name: string, label: string): Promise<number> {
  const text = await (await fetch(url)).text();
  let sum = 0;
  let isFound = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    isFound = true;
    if (line.includes(label)) sum += Number(line.slice(line.lastIndexOf(' ')));
  }
  if (!isFound) throw new Error(`the proxy has no metric ${name}`);
  return sum;
}

/** CPU seconds that these processes use while the work is done. */
export async function cpuOf(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const before = cpuSeconds(pids);
  await work();
  return cpuSeconds(pids) - before;
}
