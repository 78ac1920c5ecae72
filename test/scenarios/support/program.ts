/** The program as it is run, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import type { TestContext } from '../../support/suite.ts';
import { until } from './witness.ts';

export interface Program {
  child: ChildProcess;
  /** `http`: 0 where that is off. */
  ports: { tcp: number; ws: number; http: number };
  /** The exit code. */
  ended: Promise<number | null>;
  /** What it has said so far. */
  log(): string;
}

/** What Node.js is to run: the compiled program, where the test run has made one. */
export function mainProgram(): string[] {
  const built = process.env.TEST_PROGRAM;
  return built ? [built] : ['--import', 'tsx', 'proxy/main.ts'];
}

/** Starts it in front of `upstream`, with a trusted TCP and a trusted WebSocket listener, and `more` flags; it is killed behind the test. */
export async function startProgram(
  { after }: Pick<TestContext, 'after'>,
  upstream: string,
  more: readonly string[] = [],
): Promise<Program> {
  const usual = ['--listen', 'tcp://127.0.0.1:0?tls=none', '--listen', 'ws://127.0.0.1:0'];
  const listeners = more.includes('--listen') ? [] : usual;
  const args = [...mainProgram(), ...listeners, '--host', 'localhost', '--upstream', upstream, ...more];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MINIMIX_')));
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('it has started', () => output.includes('"msg":"started"'), 20_000);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const read = lines.map((line) => JSON.parse(line) as Record<string, unknown> & { http?: { port: number } });
  // Several workers tell the same.
  const portOf = (kind: string): number =>
    Number(read.find((line) => line.msg === 'listening' && line.kind === kind)?.port ?? 0);
  const http = read.find(({ msg }) => msg === 'started')?.http?.port ?? 0;
  return { child, ports: { tcp: portOf('tcp'), ws: portOf('websocket'), http }, ended, log: () => output };
}
