/** Rules of rooms to which the account has subscribed (MUC/Sub). */
import type { Mutant } from '../mutant.ts';

export const subscribed: readonly Mutant[] = [
  {
    name: 'a subscription is no reason to leave a room behind the last device',
    file: 'core/rules/leave.ts',
    find: 'isLeftToSubscription(turn, room)',
    put: 'false',
    cells: 'ejabberd,borrowed,tcp',
    kills: { subscribed: ['L2 an account that has subscribed'] },
  },
  {
    name: 'a device that drops leaves the account in a room to which it has subscribed',
    file: 'core/rules/sessions.ts',
    find: 'goesOnMs === undefined && isLeftToSubscription(turn, room)',
    put: 'false',
    and: [
      {
        file: 'core/account.ts',
        find: '      for (const room of [...turn.state.rooms.values()]) leaveToSubscription(turn, room);\n',
        put: '',
      },
    ],
    cells: 'ejabberd,account,tcp',
    kills: { subscribed: ['L3 a device that drops'] },
  },
  {
    name: 'who has only subscribed may not speak where its stream is in the room for others',
    file: 'core/rules/session-stanza.ts',
    find: '!mustWait(turn, room, session, stanza) && speakSubscribed(turn, room, session, stanza)',
    put: 'false',
    cells: 'ejabberd,borrowed,tcp',
    kills: { subscribed: ['M2 a device that has subscribed'] },
  },
];
