/** Rules of rooms that have forgotten the account, and take a presence of it for a join (L5, L7). */
import type { Mutant } from '../mutant.ts';

export const forgotten: readonly Mutant[] = [
  {
    name: 'a nick change that is taken for a join is believed to be one',
    file: 'core/rules/anew.ts',
    find: '  const isTold = isOther || room.meanwhile',
    put: '  const isTold = !isOther && room.meanwhile',
    cells: 'ejabberd,borrowed,tcp',
    kills: { forgotten: ['L7 a nick change'] },
  },
  {
    name: 'what the room is shown of the account takes its nick change back',
    file: 'core/rules/shown.ts',
    find: '  if (isRenaming(turn, room)) turn',
    put: '  if (room.move && isRenaming(turn, room)) turn',
    cells: 'prosody,borrowed,tcp',
    kills: { forgotten: ['L7 a nick change'] },
  },
  {
    name: 'whom a service shows once is gone, where the account was known to be out only behind that',
    file: 'core/rules/anew.ts',
    find: 'if (key !== ROOM_ITSELF) noteAnswered(move, stanza);',
    put: 'if (key === ROOM_ITSELF) noteAnswered(move, stanza);',
    cells: 'jabberd2,borrowed,tcp',
    kills: { forgotten: ['L5 what a device says'] },
  },
];
