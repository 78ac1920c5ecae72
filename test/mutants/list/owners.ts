/** Rules behind what owners, members and guests of rooms do by any of their devices (J8, J10, L4, M3, M4). */
import type { Mutant } from '../mutant.ts';

export const owners: readonly Mutant[] = [
  {
    name: 'answers to members and owners come without their ids',
    file: 'core/rules/iq.ts',
    find: "    else edit.setAttr(stanza.root, 'id', pending.originalId);\n",
    put: '',
    kills: {
      'owners-configuration': ['J10'],
      'owners-people': ['M4 lists', 'L4 voice'],
      'owners-place': ['M4 a nick', "M4 the room's card", 'M7'],
    },
  },
  {
    name: 'the refusal of an invitation is taken for one',
    file: 'core/rules/room-stanza.ts',
    find: "  return stanza.type !== 'error' && stanza.root.child('x', NS.mucUser)?.child('invite') !== undefined;",
    put: "  return stanza.root.child('x', NS.mucUser)?.child('invite') !== undefined;",
    cells: 'ejabberd,borrowed,tcp',
    kills: { invitations: ['M3 any device invites'] },
  },
  {
    name: 'what a room says to the account reaches one device',
    file: 'core/rules/private-message.ts',
    find: '    out.fork([...room.members.keys()], stanza);\n    nudgeMembers',
    put: '    out.fork([...room.members.keys()].slice(0, 1), stanza);\n    nudgeMembers',
    kills: { 'owners-people': ['L4 a request for voice'], invitations: ['M3 who declines'] },
  },
  {
    name: 'a new role of the account is known and not told',
    file: 'core/rules/room-presence.ts',
    find: '  if (!isAsked && previous && nickOf(previous) === nick && isAboutStreams(turn, room, previous, stanza)) return;\n',
    put: '  if (!isAsked && previous) return;\n',
    kills: { 'owners-people': ['L4 a device without voice'] },
  },
  {
    name: "what bears an x is taken for the proxy's own",
    file: 'runtime/session-routes.ts',
    find: "  if (isNudge(stanza, account)) return 'nudge';\n",
    put: "  if (isNudge(stanza, account) || stanza.root.child('x')) return 'nudge';\n",
    kills: { invitations: ['M3 a straight invitation'] },
  },
  {
    name: 'a room that asks waits for its answer',
    file: 'core/rules/join-answer.ts',
    find: '    room.challenged = true;\n',
    put: '    room.challenged = false;\n',
    cells: 'ejabberd,borrowed,tcp',
    kills: { captcha: ['J8 a device whose sibling', 'J8 a wrong answer'] },
  },
  {
    name: 'a sibling that sleeps is not shown what another device sends',
    file: 'core/rules/private-message.ts',
    find: ' && sibling.carbons) out.toSession',
    put: ' && sibling.carbons && !sibling.isHibernating) out.toSession',
    kills: { 'private-siblings': ['M3 private messages that come and go'] },
  },
  {
    name: 'a private message is kept from siblings by both marks together',
    file: 'core/rules/private-message.ts',
    find: "  if (stanza.root.child('private', NS.carbons) || stanza.root.child('no-copy', NS.hints)) return;\n",
    put: "  if (stanza.root.child('private', NS.carbons) && stanza.root.child('no-copy', NS.hints)) return;\n",
    kills: { 'private-siblings': ['M3 either mark'] },
  },
  {
    name: 'the device that has joined first hears the room alone',
    file: 'core/rules/groupchat.ts',
    find: 'out.fork(isRetold ? hearerIds(room) : memberIds(room), stanza);',
    put: 'out.fork((isRetold ? hearerIds(room) : memberIds(room)).slice(0, 1), stanza);',
    cells: 'prosody,account',
    kills: { 'program-terminal': ['M1'], 'program-browser': ['M1'] },
  },
];
