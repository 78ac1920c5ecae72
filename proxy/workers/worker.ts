/** One of several processes that serve clients (C7): an app that does what its parent says. */
import type { App } from '../app.ts';
import { type Config, parseConfig } from '../config.ts';
import type { Log } from '../ops/log.ts';
import type { Line } from './fork.ts';
import type { ToWorker } from './messages.ts';

export interface WorkerDeps {
  readonly line: Line;
  /** Makes the app, and the log of its process. */
  readonly create: (config: Config, worker: number) => { readonly app: App; readonly log: Log };
}

/** Serves until the parent tells it to stop, or is no more. Resolves with the exit code. */
export async function serveAsWorker({ line, create }: WorkerDeps): Promise<number> {
  const first = await new Promise<ToWorker | undefined>((resolve) => {
    line.onMessage(resolve);
    line.onLost(() => resolve(undefined));
    line.send({ is: 'up' });
  });
  // The parent is stopping, or is no more.
  if (first?.do !== 'start') return 0;
  const config = parseConfig(first.settings);
  if (Array.isArray(config)) throw new Error('the parent has passed on settings that are not right');
  // The parent answers operators for all workers.
  const { app, log } = create({ ...config, http: undefined }, first.worker);
  app.metrics.watchProcess();
  const asked = new Promise<string>((resolve) => {
    line.onLost(() => resolve('the parent is no more'));
    line.onMessage((message) => {
      if (message.do === 'stop') resolve('the parent says so');
      else void obey(message, app, line, log);
    });
  });
  try {
    // A server that does not answer can make the start long: a stop need not wait for it.
    const outcome = await Promise.race([app.start().then(() => undefined), asked]);
    if (outcome === undefined) line.send({ is: 'started' });
  } catch (error) {
    line.send({ is: 'failed', reason: error instanceof Error ? error.message : String(error) });
    return 1;
  }
  log.debug({ reason: await asked }, 'stopping');
  await app.stop();
  return 0;
}

async function obey(message: ToWorker, app: App, line: Line, log: Log): Promise<void> {
  try {
    if (message.do === 'close') await app.close();
    else if (message.do === 'reload') await app.reload();
    else if (message.do === 'report') {
      line.send({ is: 'report', id: message.id, readiness: app.readiness(), measured: await app.metrics.measured() });
    }
  } catch (error) {
    log.error({ error, task: message.do }, 'a worker could not do what it was told');
  }
}
