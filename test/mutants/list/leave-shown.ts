/** Rules of what a session sees of its own leave, of stays that end by an error, and of what an invitation says. */
import type { Mutant } from '../mutant.ts';

export const leaveShown: readonly Mutant[] = [
  {
    name: 'who leaves is not told that the room itself goes',
    file: 'core/rules/leave.ts',
    find: '  if (wasMember) takeLeave(turn, room, session);\n',
    put: '',
    cells: 'ejabberd,borrowed,tcp',
    kills: { 'leave-shown': ['L1 whoever leaves'] },
  },
  {
    name: 'who leaves is told that the room itself goes by every service',
    file: 'core/rules/leave.ts',
    find: '  if (!room.roomPresence || room.isRoomPresenceLast) return;\n',
    put: '  if (!room.roomPresence) return;\n',
    cells: 'prosody,borrowed,tcp',
    kills: { 'leave-shown': ['L1 whoever leaves'] },
  },
  {
    name: 'a presence error that answers nothing is taken for a reply',
    file: 'core/rules/session-stanza.ts',
    find: "stanza.type === 'unavailable' || isExit(room, stanza)",
    put: "stanza.type === 'unavailable'",
    cells: 'prosody,borrowed,tcp',
    kills: { 'leave-shown': ['L1 a presence error'] },
  },
  {
    name: 'others are not shown that the account has left by an error',
    file: 'core/rules/leave.ts',
    find: 'if (isDirected && !isHidden && isSmallEnough(turn, stanza))',
    put: "if (isDirected && !isHidden && stanza.type !== 'error' && isSmallEnough(turn, stanza))",
    cells: 'prosody,borrowed,tcp',
    kills: { 'leave-shown': ['L1 a presence error'] },
  },
  {
    name: 'who ends its stay by an error is given a grace',
    file: 'core/rules/grace.ts',
    find: "  if (room.farewell?.type === 'error') return 0;\n",
    put: '',
    cells: 'prosody,borrowed,tcp',
    kills: { 'leave-shown': ['L1 a presence error'] },
  },
  {
    name: "a room's own words of an invitation name the account stream",
    file: 'runtime/faces.ts',
    find: "      if (node.name === 'invite') renameInWords(stanza, edit, jid, shown);\n",
    put: '',
    cells: 'ejabberd,account,tcp',
    kills: { 'shown-addresses': ['J8 who is invited'] },
  },
];
