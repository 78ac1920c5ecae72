/** The store and the bus on one Redis. */
import { startRedis } from '../servers/index.ts';
import { storeContract } from '../store/contract.ts';
import { busContract } from '../store/contract-bus.ts';
import { busFixture, targetOf, virtualFixture } from './support.ts';

const redis = await startRedis();
const target = targetOf(redis.port);

storeContract('redis', () => virtualFixture(target), { runs: 100 });
busContract('redis', () => busFixture(target), { after: () => redis.stop() });
