/** The operator's HTTP server: `/metrics`, `/healthz`, `/readyz`. It has no authentication: bind it to loopback or to an inner network. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Whether clients should be sent here. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not, a sentence each; empty when ready. */
  readonly reasons: readonly string[];
  /** What else the answer is to show, as plain data: listeners, upstreams. No secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface OpsServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly metrics: Pick<Metrics, 'render' | 'contentType' | 'watchProcess'>;
  /** Asked at each `/readyz`: listeners are open, and every upstream answered when last probed or dialed. */
  readonly readiness: () => Readiness | Promise<Readiness>;
  readonly log: Log;
}

export interface OpsServer {
  /** Resolves when it listens; rejects with the system's error (EADDRINUSE and the like, with address and port). */
  start(): Promise<void>;
  /** Ends open connections too. */
  stop(): Promise<void>;
  /** Where it listens; undefined while it does not. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly allow?: string;
}

type Endpoint = (options: OpsServerOptions) => Promise<Answer>;

const plain = 'text/plain; charset=utf-8';

const endpoints = new Map<string, Endpoint>([
  // That it is answered at all is what it says: the event loop runs.
  ['/healthz', async () => ({ status: 200, type: plain, body: 'ok\n' })],
  ['/metrics', async ({ metrics }) => ({ status: 200, type: metrics.contentType, body: await metrics.render() })],
  ['/readyz', answerReadiness],
]);

/** Creates the server; it does not listen before `start`. */
export function createOpsServer(options: OpsServerOptions): OpsServer {
  const { host, port, metrics } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    void respond(request, response, options);
  });
  server.maxConnections = 100;
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          server.on('error', (error) => options.log.error({ error }, 'operator http failed'));
          metrics.watchProcess();
          resolve();
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        // Called back with an error when it does not listen: that is what is wanted.
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    get address() {
      const address = server.address() as AddressInfo | null;
      return address ? { host: address.address, port: address.port } : undefined;
    },
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, options: OpsServerOptions): Promise<void> {
  const answer = await answerTo(request, options);
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...(answer.allow === undefined ? {} : { allow: answer.allow }),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo(request: IncomingMessage, options: OpsServerOptions): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const endpoint = endpoints.get(path);
  if (!endpoint) return { status: 404, type: plain, body: 'not found\n' };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: plain, body: 'method not allowed\n', allow: 'GET, HEAD' };
  }
  try {
    return await endpoint(options);
  } catch (error) {
    options.log.error({ error, path }, 'operator http request failed');
    return { status: 500, type: plain, body: 'internal error\n' };
  }
}

async function answerReadiness(options: OpsServerOptions): Promise<Answer> {
  const { ready, reasons, details } = await options.readiness();
  const body = `${JSON.stringify({ ready, reasons, ...details })}\n`;
  return { status: ready ? 200 : 503, type: 'application/json', body };
}
