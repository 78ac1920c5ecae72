/** What holds between nodes whatever Redis does (C2, C3). */
import type { Mutant } from '../mutant.ts';

export const trouble: readonly Mutant[] = [
  {
    name: 'what another node has not seen is not sent to it again',
    file: 'runtime/cluster/channel.ts',
    find: '    return this.#unseen;\n',
    put: '    return [];\n',
    // The half minute of C3 is not played in the usual cells.
    cells: 'prosody,account,tcp',
    kills: {
      'nodes-redis': ['C2 Redis is killed', 'C3 a Redis that is full', 'C3 Redis cannot be reached', 'C2 a master of'],
    },
  },
  {
    name: 'a script that Redis has forgotten is not sent to it again',
    file: 'store/redis-link.ts',
    find: "  return error instanceof Error && error.message.startsWith('NOSCRIPT');\n",
    put: '  return error instanceof TypeError;\n',
    kills: { 'nodes-redis': ['C3 a slow Redis'] },
  },
];
