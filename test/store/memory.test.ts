/** The store in memory. */
import { createMemoryStore } from '../../proxy/store/memory.ts';
import { storeContract } from './contract.ts';

storeContract('memory', async () => {
  let now = 0;
  const store = createMemoryStore({ now: () => now });
  return {
    open: async () => store,
    advance: async (ms) => {
      now += ms;
    },
    close: () => store.close(),
  };
});
