/** Rules of who comes back to a room, and of what is kept for whoever comes next. */
import type { Mutant } from '../mutant.ts';

export const returning: readonly Mutant[] = [
  {
    name: 'who was let in without the password of the room is not known by that when it comes back',
    file: 'core/rules/grace.ts',
    find: 'password === room.password || password === room.parting.password',
    put: 'password === room.password',
    kills: { 'leave-rejoin': ['J8'] },
  },
  {
    name: 'what a room repeats that takes a status for a join is news',
    file: 'core/rules/room-presence.ts',
    find: '    if (comesInAnew(turn, room, stanza)) return;\n',
    put: '',
    cells: 'ejabberd,borrowed,tcp',
    kills: { healing: ['L5 what a device says of itself'] },
  },
  {
    name: 'private messages that nobody could take end with the place in the room',
    file: 'core/end.ts',
    find: '  if (!isComing) keepOnwards(turn, room, wasInside);\n',
    put: '',
    kills: { 'private-removal': ['M6'] },
  },
];
