/**
 * Scenarios over several nodes: the same files, played with the sessions of an account spread over nodes that are one service (see
 * scenarios/support/service.ts). `npm run test:nodes` plays all of them in each of these ways, `npm test` some.
 */

/** A way to set the service up. */
export interface Way {
  /** Behind a file's name in reports. */
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
}

export const ways = {
  cluster: { label: 'on two nodes and a Redis Cluster', env: { TEST_NODES: '2', TEST_STORE: 'cluster' } },
  balancer: {
    label: 'on three nodes behind HAProxy',
    env: { TEST_NODES: '3', TEST_STORE: 'redis', TEST_BALANCER: 'haproxy' },
  },
} as const satisfies Record<string, Way>;

/** Files whose scenarios are about one process, start their nodes themselves, or have nothing to do with rooms. */
const notSpread = [
  /^scenarios\/(abuse|edge|input-|nodes|push|resume-nodes|store-redis|stream-|workers)/,
  // Their proxies and servers are made for the one case, or there is no proxy.
  /^scenarios\/(account-resume|handover-order|healing-steps|join-silence|join-steps|resume-library|resume-own-(nodes|slow))/,
  /^scenarios\/(resume-program|residue-rounds|direct\.)/,
];

/** Whether a file plays over nodes. Paths below test/. */
export function isSpread(file: string): boolean {
  return file.startsWith('scenarios/') && !notSpread.some((one) => one.test(file));
}

/** What `npm test` plays over nodes: of each way the files that ask most of nodes, in one cell. */
export const inEveryRun: readonly { readonly way: Way; readonly cells: string; readonly files: readonly string[] }[] = [
  { way: ways.cluster, cells: 'prosody,borrowed,tcp', files: ['groupchat', 'handover', 'join-history', 'private'] },
  { way: ways.balancer, cells: 'ejabberd,account,websocket', files: ['join-race', 'leave-session', 'presence'] },
  { way: ways.balancer, cells: 'prosody,borrowed,tcp', files: ['iq', 'nick', 'resume-rooms'] },
  // Each resumption is by way of another node than the session's.
  { way: ways.cluster, cells: 'jabberd2,borrowed,tcp', files: ['resume-cut'] },
];
