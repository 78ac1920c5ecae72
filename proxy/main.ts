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
import type { App } from './app.ts';
import { type Config, formatEffective, type Loaded, loadAll, parseArguments, usage } from './config.ts';
import { createLog, type RootLog } from './ops/log.ts';

process.exit(await main(process.argv.slice(2)));

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

/** What only the start of the proxy would show otherwise: files that are not there. */
function check(loaded: Loaded): number {
  const faults = filesOf(loaded.config).flatMap(([key, file]) => {
    try {
      accessSync(file, fsConstants.R_OK);
      return [];
    } catch (error) {
      return [`${key}: cannot read ${file}: ${reasonOf(error)}`];
    }
  });
  if (faults.length > 0) return refuse(faults);
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
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

/** Serves until a signal ends it. */
async function run({ config, warnings }: Loaded): Promise<number> {
  const log = createLog(config.log);
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'uncaught exception');
    log.flush();
    process.exit(1);
  });
  // Loaded only now: what is wrong with the arguments is told at once.
  const { createApp } = await import('./app.ts');
  const app = createApp(config, { log });
  const asked = watchSignals(app, log);
  for (const warning of warnings) log.warn({}, warning);
  try {
    // A server that does not answer can make the start long: whoever wants to stop need not wait for it.
    const first = await Promise.race([app.start().then(() => 'started'), asked]);
    if (first === 'started') log.info({ version: readVersion(), http: app.httpAddress }, 'started');
  } catch (error) {
    process.stderr.write(`minimix-proxy: ${failureOf(error)}\n`);
    log.flush();
    return 1;
  }
  return end(app, log, await asked);
}

async function end(app: App, log: RootLog, signal: string): Promise<number> {
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
function watchSignals(app: App, log: RootLog): Promise<string> {
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
  const isExpected = 'code' in error || (error.cause instanceof Error && 'code' in error.cause);
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
