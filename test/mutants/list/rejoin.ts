/** Rules of the grace after the last session has left (L2), and what is no matter of it. */
import type { Mutant } from '../mutant.ts';

export const rejoin: readonly Mutant[] = [
  {
    name: 'a temporary room is kept from ending for its only occupant',
    file: 'core/rules/grace.ts',
    find: 'return room.isTemporary === true && isAlone(room) ? 0 : state.settings.graceMs;',
    put: 'return state.settings.graceMs;',
    kills: { 'leave-rejoin': ['L2 a temporary room ends'] },
  },
  {
    name: 'nobody is spared the sight of a client that leaves a temporary room and comes back',
    file: 'core/rules/grace.ts',
    find: "  for (const { presence } of roster.values()) if (presence.type !== 'unavailable') return false;\n  return true;\n",
    put: '  return roster !== undefined;\n',
    kills: { 'leave-session': ['L2 a rejoin within the grace'] },
  },
  {
    name: 'a room that may have ended is joined without a pause',
    file: 'core/rules/leave.ts',
    find: '  if (mayEnd(room)) turn.out.setTimer(`leave ${room.key}`, ENDING_MS);\n  else left(turn, room);\n',
    put: '  left(turn, room);\n',
    cells: 'ejabberd',
    kills: { 'leave-rejoin': ['L2 a temporary room ends'] },
  },
  {
    name: 'the grace holds a nick that nobody wants back',
    file: 'core/rules/grace.ts',
    find: 'return isRenamed || !isSamePassword ? room : undefined;',
    put: 'return !isSamePassword ? room : undefined;',
    kills: { 'leave-rejoin': ['L2 who comes back within the grace under another nick'] },
  },
  {
    name: 'in the grace any password will do',
    file: 'core/rules/grace.ts',
    find: 'return isRenamed || !isSamePassword ? room : undefined;',
    put: 'return isRenamed ? room : undefined;',
    kills: { 'leave-rejoin': ['L2 who comes back within the grace without the password'] },
  },
  {
    name: 'errors name nobody',
    file: 'xml/build.ts',
    find: "attribute('to', error.to ?? stanza.from)",
    put: "attribute('to', stanza.from)",
    cells: 'borrowed',
    kills: { 'leave-rejoin': ['L1 who has left'] },
  },
  {
    name: 'the refusal of a subscription is nobody’s',
    file: 'core/rules/room-stanza.ts',
    find: "  if (stanza.name === 'presence') return isBare && stanza.type === 'error' && !isRefusal(room, stanza);\n",
    put: '',
    cells: 'prosody,borrowed',
    kills: { 'room-presences': ['L4 the refusal of a subscription'] },
  },
];
