/**
 * The demonstration: a real Prosody, the proxy in front of it, a conversation that a person can follow; then it stays up for
 * clients of the reader's own, until Ctrl-C.
 */
import process from 'node:process';
import { createApp } from '../../proxy/app.ts';
import { parseConfig } from '../../proxy/config.ts';
import { createLog } from '../../proxy/ops/log.ts';
import { startProsody } from '../servers/index.ts';
import { play } from './play.ts';
import { Stage } from './stage.ts';

const stage = new Stage();
stage.title('Starting Prosody (installed first where it is missing) and minimix-proxy in front of it ...');
const server = await startProsody();
const config = parseConfig({
  listeners: [
    { kind: 'tcp', address: '127.0.0.1:0', tls: 'none', trusted: true },
    { kind: 'websocket', address: '127.0.0.1:0', tls: 'none', trusted: true },
  ],
  hosts: { localhost: { upstream: server.upstream() } },
  http: '127.0.0.1:0',
  log: { level: 'warn' },
});
if (Array.isArray(config)) throw new Error(config.map(({ message }) => message).join('\n'));
const app = createApp(config, { log: createLog({ level: 'warn', format: 'pretty' }) });
await app.start();
const [tcp, websocket] = app.addresses;
if (!tcp || !websocket) throw new Error('the proxy has no listeners');

const room = `garden@${server.mucDomain}`;
await play(stage, {
  server: { access: 'tcp', port: server.ports.plain },
  tcp: { access: 'tcp', port: tcp.port },
  websocket: { access: 'ws', port: websocket.port },
  room,
});

const { hot } = app.metrics;
stage.title('What the proxy has done');
stage.say(
  `${hot.stanzasForked} room stanzas delivered to devices, ${hot.stanzasSaved} of them never crossed the server again.`,
);

stage.title('Now it is yours: connect with any client. Ctrl-C ends everything.');
stage.say(`XMPP       127.0.0.1:${tcp.port} (plain TCP, host "localhost")`);
stage.say(`WebSocket  ws://127.0.0.1:${websocket.port}${websocket.path}`);
stage.say('accounts   alice, bob, carol, dave @localhost; the password is the name');
stage.say(`room       ${room} (or any other under ${server.mucDomain})`);
stage.say(`metrics    http://127.0.0.1:${app.httpAddress?.port}/metrics`);
stage.say(`server     127.0.0.1:${server.ports.plain} (Prosody itself, for comparison)`);

const isBrief = process.argv.includes('--once');
if (!isBrief) await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
stage.title('Stopping ...');
await app.stop();
await server.stop();
process.exit(0);
