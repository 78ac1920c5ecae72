/** Rules of devices that could not resume and begin anew at another node (S9): what they had not acknowledged of their rooms. */
import type { Mutant } from '../mutant.ts';

export const anew: readonly Mutant[] = [
  {
    name: 'a device is answered before its earlier session has ended elsewhere',
    file: 'core/rules/ghost.ts',
    find: '    if (room === undefined || !hasGhost(turn.state, session, room)) return false;\n',
    put: '    if (room !== undefined || !hasGhost(turn.state, session, room)) return false;\n',
    kills: { 'resume-anew': ['S9 a device that begins anew'] },
  },
  {
    name: 'how far a device has come is told when its session ends, and not before',
    file: 'runtime/session.ts',
    find: 'deps.isShared ? new Progress(',
    put: '!deps.isShared ? new Progress(',
    kills: { 'resume-anew': ['S9 kill -9'] },
  },
];
