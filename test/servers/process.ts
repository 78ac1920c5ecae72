/** What all test servers share: a folder of their own, free ports, children that are ended by their process id. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const atExit = new Set<() => void>();

/** A certificate for `localhost` and `conference.localhost` that is its own authority. Paths of PEM files. */
export interface Certificate {
  key: string;
  cert: string;
  /** Both in one file, certificate first. */
  both: string;
}

/** Creates a self-signed certificate in `folder`. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const at = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem'), both: join(folder, 'both.pem') };
  const names = 'subjectAltName=DNS:localhost,DNS:conference.localhost,IP:127.0.0.1';
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '30',
    '-subj',
    '/CN=localhost',
    '-addext',
    names,
  ];
  await run('openssl', [...request, '-keyout', at.key, '-out', at.cert]);
  await run('sh', ['-c', 'umask 077; cat "$0" "$1" > "$2"', at.cert, at.key, at.both]);
  return at;
}

/**
 * Free ports of 127.0.0.1, below the range from which the kernel takes the ports of outgoing connections: a port found by
 * binding 0 may be gone again before the server has bound it. Another program may still take one: starting retries.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = 10_000 + (process.pid % SLICES) * SLICE + Math.floor(Math.random() * SLICE);
    if (given.includes(port) || !(await isFree(port)) || given.includes(port)) continue;
    given.push(port);
    if (given.length > MOST_GIVEN) given.shift();
    ports.push(port);
  }
  return ports;
}

/** Test processes that run side by side take ports from different stretches, mostly. */
const SLICE = 1000;
const SLICES = 22;
/** Who was given a port may not have bound it yet. */
const MOST_GIVEN = 200;
const given: number[] = [];

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** A child process whose output goes to a file. */
export class Daemon {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** Runs in `cwd`, which is the folder of its output unless told. */
  constructor(
    folder: string,
    name: string,
    command: string,
    args: string[],
    env: NodeJS.ProcessEnv = {},
    cwd: string = folder,
  ) {
    this.name = name;
    this.logFile = join(folder, `${name}.out`);
    const output = openSync(this.logFile, 'a');
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    const forget = onExit(() => void this.#child.kill('SIGKILL'));
    this.#exited = new Promise((resolve) => {
      const done = () => {
        forget();
        resolve();
      };
      this.#child.once('exit', done);
      this.#child.once('error', done);
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process: asks, and after `graceMs` insists. Resolves when it is gone. */
  async stop(graceMs = 5_000): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(insist);
  }

  /** Ends the process at once, without a chance to say good-bye. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Resolves when the port accepts connections; rejects when the process ends first or after `limitMs`. */
  async listening(port: number, limitMs = 20_000): Promise<void> {
    await until(`${this.name} to listen on ${port}`, limitMs, async () => {
      if (!this.isRunning) throw new Error(`${this.name} ended before it listened on ${port}:\n${tail(this.logFile)}`);
      return await accepts(port);
    });
  }
}

/** Resolves when `holds` is true, asked every 20 ms. */
export async function until(what: string, limitMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Registers work for the end of this process, whatever ends it but SIGKILL. Returns how to take it back. */
function onExit(work: () => void): () => void {
  if (atExit.size === 0 && !process.listeners('exit').includes(runAtExit)) process.on('exit', runAtExit);
  atExit.add(work);
  return () => void atExit.delete(work);
}

/** Last in, first out: servers end before their folders are removed. */
function runAtExit(): void {
  for (const work of [...atExit].reverse()) work();
}

/** The last lines of a file; empty when there is none. */
export function tail(file: string, lines = 30): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/**
 * Starts something in a folder of its own. Tries up to three times: a port found free may be taken when the server comes
 * to bind it. The folder of a failed attempt is removed.
 */
export async function inFolder<T>(name: string, start: (folder: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), `minimix-${name}-`));
    const forget = onExit(() => removeFolder(folder));
    try {
      return await start(folder);
    } catch (error) {
      forget();
      removeFolder(folder);
      if (attempt === 3) throw error;
    }
  }
}

/** Removes a folder and all in it. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
