/** Rules of stanza logs: in a store that was away. */
import type { Mutant } from '../mutant.ts';

export const logs: readonly Mutant[] = [
  {
    name: 'what could not be written is not written again',
    file: 'runtime/log-keeper.ts',
    find: '    due.add(room);\n',
    put: '',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a private message'] },
  },
  {
    name: 'what could not be read is not read again',
    file: 'runtime/log-keeper.ts',
    find: 'for (let pause = FIRST_PAUSE_MS; !past && isWanted();',
    put: 'for (let pause = FIRST_PAUSE_MS; !past && pause < 0;',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a session that joins'] },
  },
  {
    name: 'what could not be forgotten is not forgotten later',
    file: 'store/sure-logs.ts',
    find: '    }\n    this.#trySoon();\n',
    put: '    }\n',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a room that an account leaves'] },
  },
];
