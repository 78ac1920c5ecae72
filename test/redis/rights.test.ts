/** The store and the bus for a user that may do nothing but what it needs, and over TLS. */
import { readFileSync } from 'node:fs';
import { redisRights } from '../../proxy/store/redis-rights.ts';
import { startRedis } from '../servers/index.ts';
import { storeContract } from '../store/contract.ts';
import { busContract } from '../store/contract-bus.ts';
import { busFixture, targetOf, virtualFixture } from './support.ts';

const redis = await startRedis({ password: 'of the operator', tls: true });
const answer = await redis.cli('acl', 'setuser', 'proxy', 'on', '>of the proxy', ...redisRights('test'));
if (answer !== 'OK') throw new Error(answer);
const ca = readFileSync(redis.certificate?.cert ?? '', 'utf8');
const target = targetOf(redis.port, {
  tls: { verify: true, ca },
  username: 'proxy',
  password: 'of the proxy',
});

storeContract('redis with TLS and few rights', () => virtualFixture(target), { runs: 20 });
busContract('redis with TLS and few rights', () => busFixture(target), { runs: 10, after: () => redis.stop() });
