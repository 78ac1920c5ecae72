/** Rules of history: what each session asks for (J4), and what rooms keep (M6, M7). */
import type { Mutant } from '../mutant.ts';

export const history: readonly Mutant[] = [
  {
    name: 'maxstanzas is not looked at',
    file: 'core/history.ts',
    find: 'const most = wish.maxStanzas ?? (',
    put: 'const most = (',
    kills: {
      'join-history': ['J4 maxstanzas', 'J4 of several limits'],
      'join-answer': ['J5 a session that joins again may'],
    },
  },
  {
    name: 'maxchars is not looked at',
    file: 'core/history.ts',
    find: 'const chars = wish.maxChars ?? Number.POSITIVE_INFINITY;',
    put: 'const chars = Number.POSITIVE_INFINITY;',
    kills: { 'join-history': ['J4 maxchars', 'J4 of several limits', "J4 what the account's first session"] },
  },
  {
    name: 'maxchars counts a stanza less than it has',
    file: 'core/history.ts',
    find: 'if (used > chars) break;',
    put: 'if (used > chars + 1000) break;',
    kills: { 'join-history': ['J4 maxchars'] },
  },
  {
    name: 'since is not looked at',
    file: 'core/history.ts',
    find: 'wish.since ?? Number.NEGATIVE_INFINITY,',
    put: 'Number.NEGATIVE_INFINITY,',
    kills: { 'join-history': ['J4 seconds and since', 'J4 of several limits'] },
  },
  {
    name: 'seconds is not looked at',
    file: 'core/history.ts',
    find: 'now - wish.seconds * 1000,',
    put: 'Number.NEGATIVE_INFINITY,',
    kills: { 'join-history': ['J4 seconds and since'] },
  },
  {
    name: 'who states no wish gets all history',
    file: 'core/history.ts',
    find: 'Number.POSITIVE_INFINITY : defaultStanzas',
    put: 'Number.POSITIVE_INFINITY : Number.POSITIVE_INFINITY',
    kills: { 'join-history': ['J4 a session that states no wish'] },
  },
  {
    name: "the account joins with its first session's wish for history",
    file: 'core/rules/join.ts',
    find: '    if (own) edit.remove(own);\n',
    put: '',
    kills: { 'join-history': ["J4 what the account's first session"] },
  },
  {
    name: 'what was heard live is no history',
    file: 'core/rules/groupchat.ts',
    find: '    room.log.add(stanza, now, state.services);\n',
    put: '',
    kills: {
      'join-history': ['J4 maxstanzas', 'J4 what a session has heard', 'J4 ids'],
      'leave-session': ['L2 a rejoin', 'L2 leave.when never'],
      'leave-gone': ['L3 a sibling that has not joined'],
    },
  },
  {
    name: 'history that was heard live has no delay',
    file: 'core/replay.ts',
    find: 'return entry.delayed ? stanza : delayed(stanza, room.name, entry.at);',
    put: 'return stanza;',
    kills: { 'join-history': ['J4 ids', 'J4 what a session has heard'] },
  },
  {
    name: 'history that the room has stamped is stamped once more',
    file: 'core/replay.ts',
    find: 'return entry.delayed ? stanza : delayed(stanza, room.name, entry.at);',
    put: 'return delayed(stanza, room.name, entry.at);',
    kills: { 'join-history': ['J4 what a session has heard'] },
  },
  {
    name: 'what a room gives as history is forgotten when it is old',
    file: 'core/stanza-log.ts',
    find: 'entry.heardAt >= now - ageMs) break;',
    put: 'entry.at >= now - ageMs) break;',
    kills: { 'join-steps': ['J4'] },
  },
  {
    name: 'messages without a body are history',
    file: 'core/rules/groupchat.ts',
    find: `    (root.child('body') !== undefined || isArchived(stanza)) &&
    !isNotice(stanza) &&
    !isChatState(stanza) &&`,
    put: '    !isNotice(stanza) &&',
    kills: { 'join-history': ['J4 chat states'] },
  },
  {
    name: 'only messages with a body are history',
    file: 'core/rules/groupchat.ts',
    find: "(root.child('body') !== undefined || isArchived(stanza))",
    put: "root.child('body') !== undefined",
    cells: 'prosody,account,tcp',
    kills: { 'join-history': ['J4 what has no body'] },
  },
  {
    name: 'messages that ask not to be kept are history',
    file: 'core/rules/groupchat.ts',
    find: "root.child('no-store', NS.hints) === undefined &&",
    put: '',
    kills: { 'join-history': ['J4 chat states'] },
  },
  {
    name: 'what a room says to who joins is history',
    file: 'core/rules/groupchat.ts',
    find: "    nickOf(stanza) === '' &&\n    root.child('body')",
    put: "    nickOf(stanza) === 'nobody' &&\n    root.child('body')",
    cells: 'jabberd2,account,tcp',
    kills: { 'join-addresses': ['J12'] },
  },
];
