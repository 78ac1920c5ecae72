/** The bus in memory. */
import { createMemoryBus } from '../../proxy/store/memory-bus.ts';
import { busContract } from './contract-bus.ts';

busContract('memory', async () => {
  const bus = createMemoryBus();
  return { open: async () => bus, close: async () => {} };
});
