#!/usr/bin/env node
/**
 * The process edge: arguments, signals, exit codes. Nothing else touches `process`.
 *
 * Exit codes: 0 ended as asked, 1 failed while running, 2 wrong usage or configuration, 128 + n ended at once by a second
 * signal n.
 */
import { accessSync, constants as fsConstants, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import process from 'node:process';
import { type Config, formatEffective, type Loaded, loadAll, parseArguments, usage } from './config.ts';
import { createLog, type RootLog } from './ops/log.ts';
import { forkWorker, isWorker, lineToParent } from './workers/fork.ts';

process.exit(await (isWorker() ? work() : main(process.argv.slice(2))));

async function main(argv: string[]): Promise<number> {
  const args = parseArguments(argv);
  if (args.help) return print(usage);
  if (args.version) return print(`minimix-proxy ${readVersion()}\n`);
  const loaded = loadAll({ env: process.env, readFile: (name) => readFileSync(name, 'utf8') }, args);
  if (Array.isArray(loaded)) return refuse(loaded.map((error) => error.message));
  if (args.checkConfig) return check(loaded);
  return run(loaded);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function refuse(messages: string[]): number {
  for (const message of messages) process.stderr.write(`minimix-proxy: ${message}\n`);
  process.stderr.write("Try 'minimix-proxy --help'.\n");
  return 2;
}

/** What only the start of the proxy would show otherwise: files that are not there, keys that are none. */
async function check(loaded: Loaded): Promise<number> {
  const faults = filesOf(loaded.config).flatMap(([key, file]) => {
    try {
      accessSync(file, fsConstants.R_OK);
      return [];
    } catch (error) {
      return [`${key}: cannot read ${file}: ${reasonOf(error)}`];
    }
  });
  const warnings = [...loaded.warnings];
  try {
    const { openSeal } = await import('./app-seal.ts');
    openSeal(loaded.config.sealing, { warn: (_, message) => void warnings.push(message) });
  } catch (error) {
    faults.push(failureOf(error));
  }
  if (faults.length > 0) return refuse(faults);
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  return print(`configuration is valid\n\n${formatEffective(loaded.effective)}`);
}

function filesOf(config: Config): [key: string, file: string][] {
  const { store } = config;
  const ofStore: [string, string][] = store.kind === 'redis' && store.ca ? [['store-tls.ca', store.ca]] : [];
  const ofHosts = Object.values(config.hosts).flatMap(({ name, certificate, upstream }) => {
    const files: [string, string | undefined][] = [
      [`hosts[${name}].certificate.cert`, certificate?.cert],
      [`hosts[${name}].certificate.key`, certificate?.key],
      [`hosts[${name}].upstream-tls.ca`, upstream.ca],
    ];
    return files.filter((one): one is [string, string] => one[1] !== undefined);
  });
  return [...ofStore, ...ofHosts];
}

/** What runs: one app, or the parent of several processes with one each. */
interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
  reload(): Promise<void>;
  readonly httpAddress: { readonly host: string; readonly port: number } | undefined;
}

// Loaded only when the arguments are known to be right: what is wrong with them is told at once.
async function createService({ config, effective }: Loaded, log: RootLog): Promise<Service> {
  const { workers, http, drain } = config;
  if (workers === 1) return (await import('./app.ts')).createApp(config, { log });
  const { Parent } = await import('./workers/parent.ts');
  return new Parent({ workers, http, settings: effective, drainMs: drain.timeoutMs, log, fork: forkWorker });
}

/** The process of a worker. Signals are the parent's business, which may get them together with its workers. */
async function work(): Promise<number> {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  const [{ serveAsWorker }, { createApp }] = await Promise.all([import('./workers/worker.ts'), import('./app.ts')]);
  let root: RootLog | undefined;
  const create = (config: Config, worker: number) => {
    root = createLog(config.log);
    endOnFault(root);
    const log = root.child({ worker });
    return { app: createApp(config, { log }), log };
  };
  try {
    return await serveAsWorker({ line: lineToParent(), create });
  } catch (error) {
    process.stderr.write(`minimix-proxy: ${failureOf(error)}\n`);
    return 1;
  } finally {
    root?.flush();
  }
}

function endOnFault(log: RootLog): void {
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'uncaught exception');
    log.flush();
    process.exit(1);
  });
}

/** Serves until a signal ends it. */
async function run(loaded: Loaded): Promise<number> {
  const { config, warnings } = loaded;
  const log = createLog(config.log);
  endOnFault(log);
  let app: Service;
  try {
    app = await createService(loaded, log);
  } catch (error) {
    return fail(error, log);
  }
  const asked = watchSignals(app, log);
  for (const warning of warnings) log.warn({}, warning);
  try {
    // A server that does not answer can make the start long: whoever wants to stop need not wait for it.
    const first = await Promise.race([app.start().then(() => 'started'), asked]);
    if (first === 'started')
      log.info({ version: readVersion(), http: app.httpAddress, workers: config.workers }, 'started');
  } catch (error) {
    return fail(error, log);
  }
  return end(app, log, await asked);
}

function fail(error: unknown, log: RootLog): number {
  process.stderr.write(`minimix-proxy: ${failureOf(error)}\n`);
  log.flush();
  return 1;
}

async function end(app: Service, log: RootLog, signal: string): Promise<number> {
  log.info({ signal }, 'stopping');
  try {
    await app.stop();
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    log.error({ error }, 'cannot stop in good order');
    return 1;
  } finally {
    log.flush();
  }
}

/** Resolves with the first signal that asks to stop; the second one ends the process at once. */
function watchSignals(app: Service, log: RootLog): Promise<string> {
  process.on('SIGHUP', () => {
    app.reload().then(
      () => log.info({}, 'reloaded'),
      (error: unknown) => log.error({ error }, 'cannot reload'),
    );
  });
  return new Promise((resolve) => {
    let isAsked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(128 + constants.signals[signal]);
        isAsked = true;
        resolve(signal);
      });
    }
  });
}

/** Why it could not start. What does not come from the system is a fault of ours and shows its stack. */
function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected =
    error.name === 'WorkerFailure' || 'code' in error || (error.cause instanceof Error && 'code' in error.cause);
  return isExpected ? error.message : (error.stack ?? error.message);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  return code === 'EACCES' ? 'permission denied' : message;
}

/** From the package's own file: one level up in a checkout, two levels up when built. */
function readVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const read: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      const { name, version } = read as { name?: unknown; version?: unknown };
      if (name === 'minimix-proxy' && typeof version === 'string') return version;
    } catch {
      // Not there: the next place.
    }
  }
  return 'unknown';
}
