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
    name: 'a status that a room has refused for not knowing the account is not shown there later',
    file: 'core/rules/self-ping.ts',
    find: "  if (refused.some(({ stanza }) => stanza.name === 'presence')) room.shown = shownBefore(room);\n",
    put: '',
    kills: { forgotten: ['L5 what a device says of itself'] },
  },
  {
    name: 'private messages that nobody could take end with the place in the room',
    file: 'core/end.ts',
    find: '  if (!isComing) keepOnwards(turn, room, wasInside);\n',
    put: '',
    kills: { 'private-removal': ['M6'] },
  },
];
