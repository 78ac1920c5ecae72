/** Private messages, and sessions that go on at another node (M3, S9). */
import type { Mutant } from '../mutant.ts';

export const travelling: readonly Mutant[] = [
  {
    name: 'what is written to a session between two nodes is for the others alone',
    file: 'core/rules/sessions.ts',
    find: '  if (goesOnMs !== undefined) setOut(turn, session, goesOnMs);\n',
    put: '',
    kills: { 'resume-nodes-private': ['M3'] },
  },
  {
    name: 'what another device writes is not shown to a session between two nodes',
    file: 'core/rules/travellers.ts',
    find: '    if (!traveller.carbons || !traveller.rooms.includes(room.key)) continue;\n',
    put: '    if (traveller.rooms.length > 0) continue;\n',
    kills: { 'resume-nodes-private': ['M3'] },
  },
];
