/** A page in headless Chromium, served from and confined to this machine, driven over the browser's own debugging protocol. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import process from 'node:process';
import { WebSocket } from 'ws';
import { ensurePackages, packagesOf } from '../../servers/install.ts';
import type { TestContext } from '../../support/suite.ts';
import { until } from './witness.ts';

export interface Page {
  /** The value of an expression, or what its promise comes to. */
  evaluate<T>(expression: string): Promise<T>;
  /** As the user does it. The page's own memory is gone then. */
  reload(): Promise<void>;
  /** What the page has said on its console, errors included. */
  readonly console: readonly string[];
}

/** Serves `html`, with the files of `folder` below /dist/, and shows it. */
export async function openPage({ after }: Pick<TestContext, 'after'>, html: string, folder: string): Promise<Page> {
  ensurePackages(packagesOf.browser);
  const url = await serve(after, html, folder);
  const protocol = await startBrowser(after);
  const said: string[] = [];
  protocol.on('Runtime.consoleAPICalled', ({ args }) => {
    said.push(
      (args as { value?: unknown; description?: string }[]).map((one) => one.value ?? one.description).join(' '),
    );
  });
  protocol.on('Runtime.exceptionThrown', ({ exceptionDetails }) => void said.push(JSON.stringify(exceptionDetails)));
  let loads = 0;
  protocol.on('Page.loadEventFired', () => {
    loads += 1;
  });
  const load = async (method: string, parameters: object): Promise<void> => {
    const before = loads;
    await protocol.call(method, parameters);
    await until('the page has been loaded', () => loads > before, 15_000);
  };
  for (const domain of ['Page', 'Runtime']) await protocol.call(`${domain}.enable`, {});
  await load('Page.navigate', { url });
  return {
    evaluate: async <T>(expression: string) => {
      const answer = await protocol.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      const { result, exceptionDetails } = answer as { result: { value: T }; exceptionDetails?: object };
      if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
      return result.value;
    },
    reload: () => load('Page.reload', {}),
    console: said,
  };
}

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
};

async function serve(after: TestContext['after'], html: string, folder: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    const file = path.startsWith('/dist/') ? join(folder, path.slice('/dist/'.length)) : undefined;
    if (file !== undefined && !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': types[file === undefined ? '.html' : extname(file)] ?? 'application/octet-stream',
    });
    response.end(file === undefined ? html : readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

interface Protocol {
  call(method: string, parameters: object): Promise<object>;
  on(event: string, listener: (parameters: Record<string, unknown>) => void): void;
}

/** Nothing but 127.0.0.1 can be reached from it. */
const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-default-browser-check',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-port=0',
];

async function startBrowser(after: TestContext['after']): Promise<Protocol> {
  const profile = mkdtempSync(join(tmpdir(), 'minimix-browser-'));
  after(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: 'ignore',
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  after(async () => {
    // With all that it has started.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
  });
  const portFile = join(profile, 'DevToolsActivePort');
  await until(
    'the browser has started',
    () => existsSync(portFile) && readFileSync(portFile, 'utf8').includes('\n'),
    20_000,
  );
  const port = readFileSync(portFile, 'utf8').split('\n')[0];
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    type: string;
    webSocketDebuggerUrl: string;
  }[];
  const url = targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl;
  if (url === undefined) throw new Error('the browser shows no page');
  return await connect(after, url);
}

async function connect(after: TestContext['after'], url: string): Promise<Protocol> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
  after(() => socket.terminate());
  const waiting = new Map<number, { resolve(result: object): void; reject(error: Error): void }>();
  const listeners = new Map<string, (parameters: Record<string, unknown>) => void>();
  socket.on('message', (data: Buffer) => {
    const { id, method, params, result, error } = JSON.parse(data.toString());
    if (method !== undefined) listeners.get(method)?.(params);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });
  let calls = 0;
  return {
    call: (method, params) =>
      new Promise((resolve, reject) => {
        const id = ++calls;
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    on: (event, listener) => void listeners.set(event, listener),
  };
}
