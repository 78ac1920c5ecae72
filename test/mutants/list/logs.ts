/** Rules of stanza logs: in a store that was away, of what is taken back, and of ids in archives. */
import type { Mutant } from '../mutant.ts';

export const logs: readonly Mutant[] = [
  {
    name: 'what could not be written is not written again',
    file: 'runtime/log-keeper.ts',
    find: '    due.add(room);\n',
    put: '',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a private message'] },
  },
  {
    name: 'what could not be read is not read again',
    file: 'runtime/log-keeper.ts',
    find: 'for (let pause = FIRST_PAUSE_MS; !past && isWanted();',
    put: 'for (let pause = FIRST_PAUSE_MS; !past && pause < 0;',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a session that joins'] },
  },
  {
    name: 'what could not be forgotten is not forgotten later',
    file: 'store/sure-logs.ts',
    find: '    }\n    this.#trySoon();\n',
    put: '    }\n',
    cells: 'prosody,account,tcp',
    kills: { 'log-away': ['M6 a room that an account leaves'] },
  },
  {
    name: 'what was heard before keeps what has been taken back since',
    file: 'core/stanza-log.ts',
    find: '    if (older.length > 0) this.#retractAgain(now);\n',
    put: '',
    cells: 'prosody,account,tcp',
    kills: { 'log-store': ['M7 what was taken back while nobody'] },
  },
  {
    name: 'who has a nick is taken for who had it in the history of a join',
    file: 'core/rules/join-answer.ts',
    find: '  room.log.freeAll(live);\n',
    put: '',
    cells: 'jabberd2,account,tcp',
    kills: { 'log-retraction': ['M7 who takes the nick of somebody'] },
  },
  {
    name: 'who has taken a nick takes private messages back',
    file: 'core/kept.ts',
    find: 'isSameOccupant(one.stanza, stanza, !one.isNickFreed)',
    put: 'one.stanza.from === stanza.from',
    cells: 'jabberd2,account,tcp',
    kills: { 'log-retraction': ['M6 who has taken the nick'] },
  },
  {
    name: 'ids of the archive are said to the room',
    file: 'core/rules/groupchat.ts',
    find: 'isSmallEnough(turn, translated) ? translated : stanza',
    put: 'isSmallEnough(turn, translated) ? stanza : translated',
    cells: 'jabberd2,account,tcp',
    kills: { archive: ['J12 what a device says of a message'] },
  },
  {
    name: 'what others say of a message is not found in the archive',
    file: 'core/archive.ts',
    find: 'const isReferred = refer(log, stanza, edit);',
    put: 'const isReferred = edit === undefined && refer(log, stanza, edit);',
    cells: 'jabberd2,account,tcp',
    kills: { archive: ['J12 what a device says of a message'] },
  },
];
