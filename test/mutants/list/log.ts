/** Rules of the stanza log: what is taken back (M7). */
import type { Mutant } from '../mutant.ts';

export const log: readonly Mutant[] = [
  {
    name: 'what was taken back stays in the log',
    file: 'core/stanza-log.ts',
    find: '    if (retraction) this.#retract(retraction, now);\n',
    put: '',
    kills: {
      'log-retraction': [
        'M7 of a message heard live',
        'M7 of a message that the room',
        'M7 of a message that a moderator',
      ],
    },
  },
  {
    name: 'corrections of what was taken back stay in the log',
    file: 'core/stanza-log.ts',
    find: '        if (isCorrection) this.#bury(other, retraction, now);\n',
    put: '',
    kills: { 'log-retraction': ['M7 of a message heard live', 'M7 of a message that the room'] },
  },
  {
    name: 'anybody takes back what anybody has said',
    file: 'core/retraction.ts',
    find: 'if (a !== undefined || b !== undefined) return a === b;',
    put: 'if (a !== undefined || b !== undefined) return true;',
    kills: { 'log-retraction': ['M7 nobody takes back'] },
  },
  {
    name: 'who takes a nick takes back what was said under it',
    file: 'core/stanza-log.ts',
    find: '    this.#freed.set(from, this.#added);\n',
    put: '',
    cells: 'jabberd2,account,tcp',
    kills: { 'log-retraction': ['M7 nobody takes back'] },
  },
  {
    name: 'occupants speak for the room',
    file: 'core/retraction.ts',
    find: '!isRetract || isRoom !== (moderated !== undefined)',
    put: '!isRetract',
    kills: { 'log-retraction': ['M7 nobody takes back'] },
  },
  {
    name: 'what a moderator has removed stays in the log',
    file: 'core/retraction.ts',
    find: 'if (moderated) return roomStanzaId(said) === target;',
    put: 'if (moderated) return false;',
    kills: { 'log-retraction': ['M7 of a message that a moderator'] },
  },
  {
    name: 'private messages that were taken back are kept',
    file: 'core/rules/private-message.ts',
    find: '  if (unkeepPrivate(turn, room, stanza)) return;\n',
    put: '',
    cells: 'prosody,account,tcp',
    kills: { 'log-retraction': ['M6 a private message that was taken back'] },
  },
];
