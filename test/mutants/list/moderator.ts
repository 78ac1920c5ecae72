/** Rules of what a moderator may see (J8). */
import type { Mutant } from '../mutant.ts';

export const moderator: readonly Mutant[] = [
  {
    name: 'a room is not asked for addresses when the account has been made a moderator',
    file: 'core/rules/room-presence.ts',
    find: '  noteRole(turn, room, previous);\n',
    put: '',
    cells: 'ejabberd,borrowed,tcp',
    kills: { moderator: ['J8 a device that joins after'] },
  },
];
