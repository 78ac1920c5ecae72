/** Rules of joining: the account's one join, and the answer to each session (J1 to J6). */
import type { Mutant } from '../mutant.ts';

export const joining: readonly Mutant[] = [
  {
    name: 'a session that joins a room in which the account is makes it join anew',
    file: 'core/rules/join.ts',
    find: `  if (room?.phase === 'joined') {
    admit(turn, room, session, detach(stanza), nick);
    return;
  }`,
    put: `  if (room?.phase === 'joined' && room.members.size > 9) {
    admit(turn, room, session, detach(stanza), nick);
    return;
  }
  if (room) room.phase = 'joining';`,
    kills: { basics: ['J1'], 'join-answer': ['J1'] },
  },
];
