/**
 * What stands in front of the server in a scenario: one proxy, or nodes that are one service. The environment says which:
 *
 *     TEST_NODES=2            so many nodes; devices of an account are spread over them, and come back to another one
 *     TEST_STORE=cluster      what the nodes share: `memory` of the test's process (unless told), `redis`, `cluster` (three masters),
 *                             or the URL of what runs already
 *     TEST_BALANCER=haproxy   clients come through an HAProxy, which takes one node after the other
 */
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { Gathered } from '../../../proxy/ops/gather.ts';
import { createMemoryStore } from '../../../proxy/store/memory.ts';
import type { Access } from '../../servers/server.ts';
import { type SharedStore, startSharedStore } from '../../servers/shared-store.ts';
import type { Target } from '../../support/client.ts';
import { type ProxyOptions, startProxy, type TestProxy, type Transport } from '../../support/proxy.ts';
import type { TestContext } from '../../support/suite.ts';
import { startBalancer } from './balancer.ts';

/** The nodes as one: counts, metrics and the log are those of all of them, which stop in turn; everything else is the first one's. */
export interface Service {
  readonly proxy: TestProxy;
  /** The first node, reached directly. */
  readonly node: TestProxy;
  /** Where the next device logs in. */
  next(): TestProxy;
  /** Where a session is resumed. */
  back(transport: Transport): Target;
}

/** Starts the services of one test file. */
export class Services {
  readonly #nodes = Number(process.env.TEST_NODES ?? '1');
  readonly #kind = process.env.TEST_STORE ?? 'memory';
  readonly #balancer = process.env.TEST_BALANCER;
  #store: Promise<SharedStore> | undefined;

  /** Registers its clean-up with `after`. */
  async start(options: ProxyOptions, after: TestContext['after']): Promise<Service> {
    const shared = await this.#shared();
    const proxies: TestProxy[] = [];
    for (let count = 0; count < this.#nodes; count += 1) {
      const config = { ...shared.config, ...options.config };
      const proxy = await startProxy({ ...options, ...shared.store, config });
      after(() => proxy.stop());
      proxies.push(proxy);
    }
    const all = proxies as [TestProxy, ...TestProxy[]];
    const [first] = all;
    if (this.#nodes === 1) {
      return { proxy: first, node: first, next: () => first, back: (transport) => first.target(transport) };
    }
    const next = this.#balancer ? await balanced(all, options, after) : inTurn(all);
    const back = (transport: Transport): Target => next().target(transport);
    return { proxy: together(first, proxies, next), node: first, next, back };
  }

  /** What is kept beside the proxies goes. */
  async stop(): Promise<void> {
    await (await this.#store)?.stop();
  }

  /** How a service's nodes find each other; nobody else finds them. */
  async #shared(): Promise<{ config?: ProxyOptions['config']; store?: Pick<ProxyOptions, 'store'> }> {
    if (this.#nodes === 1) return {};
    if (this.#kind === 'memory') return { store: { store: createMemoryStore({ now: () => performance.now() }) } };
    this.#store ??= startSharedStore(this.#kind);
    const { url } = await this.#store;
    return { config: { store: url, 'store-prefix': `test-${randomBytes(6).toString('hex')}:` } };
  }
}

function inTurn(proxies: readonly TestProxy[]): () => TestProxy {
  let turn = 0;
  return () => proxies[turn++ % proxies.length] as TestProxy;
}

/** The service as seen through the balancer. */
async function balanced(
  [first, ...others]: readonly [TestProxy, ...TestProxy[]],
  options: ProxyOptions,
  after: TestContext['after'],
): Promise<() => TestProxy> {
  const ways: readonly Access[] = options.certificate ? ['tcp', 'ws', 'starttls', 'tls', 'wss'] : ['tcp', 'ws'];
  const balancer = await startBalancer(
    [first, ...others].map(({ at }) => new Map(ways.map((way) => [way, at(way).port]))),
  );
  after(() => balancer.stop());
  const through = (target: Target): Target => {
    return { ...target, port: balancer.ports.get(target.access) ?? target.port };
  };
  const proxy: TestProxy = {
    ...first,
    target: (...way) => through(first.target(...way)),
    at: (access) => through(first.at(access)),
  };
  return () => proxy;
}

function together(first: TestProxy, proxies: readonly TestProxy[], next: () => TestProxy): TestProxy {
  const census = () => {
    const all = proxies.map(({ app }) => app.census());
    const names = Object.keys(first.app.census()) as (keyof (typeof all)[number])[];
    return Object.fromEntries(names.map((name) => [name, all.reduce((sum, one) => sum + one[name], 0)]));
  };
  const render = async (): Promise<string> => {
    const all = new Gathered();
    for (const [index, { app }] of proxies.entries()) all.put(index, await app.metrics.measured());
    return all.render();
  };
  const metrics = { ...first.app.metrics, render };
  const app = new Proxy(first.app, {
    get: (target, name) => {
      if (name === 'census') return census;
      if (name === 'metrics') return metrics;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    ...first,
    app,
    target: (...way) => next().target(...way),
    at: (access) => next().at(access),
    get log() {
      return proxies.flatMap(({ log }) => log);
    },
    async stop() {
      for (const proxy of proxies) await proxy.stop();
    },
  };
}
