/** Scenes with the fake server behind the proxy: answers to joins to the moment, and silence. */
import process from 'node:process';
import { type Client, type LoginOptions, login } from '../../support/client.ts';
import { type FakePeer, type FakeServer, type FakeServerOptions, startFakeServer } from '../../support/fake-server.ts';
import { type ConfigFile, startProxy, type TestProxy, type Transport } from '../../support/proxy.ts';
import { type Suite, suite } from '../../support/suite.ts';
import type { Carrier } from '../impossible.ts';
import { transcript } from './transcript.ts';

export interface FakeScene {
  carrier: Carrier;
  transport: Transport;
  server: FakeServer;
  proxy: TestProxy;
  /** A client of alice through the proxy. */
  login(options?: Partial<LoginOptions>): Promise<Client>;
  /** The server's end of the stream that carries rooms: that of the account, or of the first client. Once a join is under way. */
  carrierPeer(): Promise<FakePeer>;
}

/** Registers a promise as four tests: both kinds of carrier, both transports. */
export type FakeScenario = (
  id: string,
  promise: string,
  body: (scene: FakeScene) => Promise<void>,
  options?: { config?: ConfigFile; server?: FakeServerOptions },
) => void;

/** Start of the resource of account streams. */
const accountResource = '/minimix-rooms-';

/** Starts a file of scenarios on the fake server; `run` comes last. */
export function fakeScenarios(name: string): FakeScenario & Pick<Suite, 'run'> {
  // They wait, and have nothing in common.
  const test = suite(name, { limitMs: 30_000, together: 4 });
  const scenario: FakeScenario = (id, promise, body, options = {}) => {
    for (const carrier of ['account', 'borrowed'] as const) {
      for (const transport of ['tcp', 'websocket'] as const) {
        if (!isWanted(carrier, transport)) continue;
        test(`${id} ${promise} [fake, ${carrier}, ${transport}]`, async ({ after }) => {
          const server = await startFakeServer(options.server);
          after(() => server.stop());
          const proxy = await startProxy({ upstream: server.upstream, config: options.config ?? {} });
          after(() => proxy.stop());
          const clients: Client[] = [];
          after(() => Promise.all(clients.filter((one) => !one.stream.isClosed).map((one) => one.drop())));
          const mechanism = carrier === 'account' ? 'PLAIN' : 'X-TEST';
          const scene: FakeScene = {
            carrier,
            transport,
            server,
            proxy,
            async login(more = {}) {
              const client = await login(proxy.target(transport), { user: 'alice', mechanism, presence: 0, ...more });
              clients.push(client);
              return client;
            },
            carrierPeer: () => carrierPeer(server, carrier),
          };
          try {
            await body(scene);
          } catch (error) {
            if (error instanceof Error) error.stack = `${error.stack}\n${transcript(clients, proxy.log)}`;
            throw error;
          }
        });
      }
    }
  };
  return Object.assign(scenario, { run: () => test.run() });
}

/** While working on something: `TEST_CELLS=borrowed,tcp`. */
function isWanted(...cell: [Carrier, Transport]): boolean {
  const words: readonly string[] = (process.env.TEST_CELLS ?? '').split(',');
  const kinds = { carrier: ['account', 'borrowed'], transport: ['tcp', 'websocket'] };
  return Object.values(kinds).every((all, index) => {
    const named = all.filter((word) => words.includes(word));
    return named.length === 0 || named.includes(cell[index] as string);
  });
}

async function carrierPeer(server: FakeServer, carrier: Carrier): Promise<FakePeer> {
  for (;;) {
    const peer = await server.peer();
    if (carrier === 'borrowed' || peer.jid.includes(accountResource)) return peer;
  }
}
