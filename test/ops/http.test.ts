/** The operator's HTTP server (O2, O4). */
import { createOpsServer, type OpsServer, type OpsServerOptions } from '../../proxy/ops/http.ts';
import { captureLog, silentLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';

const test = suite('operator http');

async function start({ after }: TestContext, options: Partial<OpsServerOptions> = {}): Promise<OpsServer> {
  const server = createOpsServer({
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics(),
    readiness: () => ({ ready: true, reasons: [] }),
    log: silentLog,
    ...options,
  });
  await server.start();
  after(() => server.stop());
  return server;
}

async function ask(server: OpsServer, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${server.address?.port}${path}`, { method });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: await response.text(),
  };
}

test('/healthz is answered as long as the event loop runs', async (context) => {
  const { status, body } = await ask(await start(context), '/healthz');
  assert.equal({ status, body }, { status: 200, body: 'ok\n' });
});

test('/metrics has the text of Prometheus, with those of the process', async (context) => {
  const metrics = createMetrics();
  metrics.hot.stanzasForked = 7;
  const { status, type, body } = await ask(await start(context, { metrics }), '/metrics?x=1');
  assert.is(status, 200);
  assert.is(type, metrics.contentType);
  assert.match(body, 'minimix_stanzas_forked_total 7');
  assert.match(body, 'process_resident_memory_bytes');
});

test('/readyz says yes or why not', async (context) => {
  let reasons: string[] = [];
  const readiness = async () => ({ ready: reasons.length === 0, reasons, details: { listeners: 2 } });
  const server = await start(context, { readiness });
  const yes = await ask(server, '/readyz');
  assert.is(yes.status, 200);
  assert.equal(JSON.parse(yes.body), { ready: true, reasons: [], listeners: 2 });
  reasons = ['The server of example.org could not be reached.'];
  const no = await ask(server, '/readyz');
  assert.is(no.status, 503);
  assert.is(no.type, 'application/json');
  assert.equal(JSON.parse(no.body), { ready: false, reasons, listeners: 2 });
});

test('anything else is 404, other methods are 405, HEAD is GET without a body', async (context) => {
  const server = await start(context);
  for (const path of ['/', '/metrics/', '/HEALTHZ', '/constructor']) {
    assert.is((await ask(server, path)).status, 404, path);
  }
  assert.is((await ask(server, '/none', 'POST')).status, 404);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask(server, '/metrics', method);
    assert.is(status, 405, method);
    assert.is(headers.get('allow'), 'GET, HEAD');
  }
  const head = await ask(server, '/healthz', 'HEAD');
  assert.is(head.status, 200);
  assert.is(head.body, '');
  assert.is(head.headers.get('content-length'), '3');
});

test('a check that fails is an error for the one who asked, and a line in the log', async (context) => {
  const log = captureLog();
  const readiness = () => {
    throw new Error('boo');
  };
  const { status, body } = await ask(await start(context, { readiness, log }), '/readyz');
  assert.is(status, 500);
  assert.not.match(body, 'boo');
  assert.is(log.lines[0]?.message, 'operator http request failed');
});

test('an address in use is told', async (context) => {
  const { address } = await start(context);
  try {
    await start(context, { port: address?.port ?? 0 });
    assert.unreachable('it listens twice');
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'EADDRINUSE');
  }
});

test('stop ends open connections, and may come twice or before start', async (context) => {
  const server = await start(context);
  await ask(server, '/healthz');
  await server.stop();
  await server.stop();
  assert.is(server.address, undefined);
  const never = createOpsServer({
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics(),
    readiness: () => ({ ready: true, reasons: [] }),
    log: silentLog,
  });
  await never.stop();
});

test.run();
