/** The store and the bus on a Redis Cluster, for a user that may do nothing but what it needs. */
import { redisRights } from '../../proxy/store/redis-rights.ts';
import { startRedisCluster } from '../servers/index.ts';
import { storeContract } from '../store/contract.ts';
import { busContract } from '../store/contract-bus.ts';
import { busFixture, targetOf, virtualFixture } from './support.ts';

const cluster = await startRedisCluster();
const nodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }));
for (const master of cluster.masters) {
  const answer = await master.cli('acl', 'setuser', 'proxy', 'on', '>of the proxy', ...redisRights('test'));
  if (answer !== 'OK') throw new Error(answer);
}
const target = targetOf(0, { nodes, isCluster: true, username: 'proxy', password: 'of the proxy' });

storeContract('redis cluster', () => virtualFixture(target), { runs: 30 });
busContract('redis cluster', () => busFixture(target), { runs: 10, after: () => cluster.stop() });
