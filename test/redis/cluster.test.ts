/** The store and the bus on a Redis Cluster. */
import { startRedisCluster } from '../servers/index.ts';
import { storeContract } from '../store/contract.ts';
import { busContract } from '../store/contract-bus.ts';
import { busFixture, targetOf, virtualFixture } from './support.ts';

const cluster = await startRedisCluster();
const nodes = cluster.masters.map(({ port }) => ({ host: '127.0.0.1', port }));
const target = targetOf(0, { nodes, isCluster: true });

storeContract('redis cluster', () => virtualFixture(target), { runs: 30 });
busContract('redis cluster', () => busFixture(target), { runs: 10, after: () => cluster.stop() });
