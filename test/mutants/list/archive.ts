/** Rules of the archive of rooms that have none, and of logs in the store. */
import type { Mutant } from '../mutant.ts';

export const archive: readonly Mutant[] = [
  {
    name: 'the archive is not announced',
    file: 'core/rules/archive.ts',
    find: '  for (const name of features) edit.append(',
    put: '  for (const name of [] as string[]) edit.append(',
    kills: { archive: ['J12 a room without an archive announces', 'M5 a room that has an archive'] },
  },
  {
    name: 'who pages gets the same page again',
    file: 'core/archive-page.ts',
    find: 'placeOf(after, -1), placeOf(before, archive.length)',
    put: '-1, archive.length',
    kills: { archive: ['J12 a room without an archive announces'] },
  },
  {
    name: 'filters of a query are not looked at',
    file: 'core/archive-page.ts',
    find: 'place > from && place < to && (!wanted || wanted.has(one.id)) && isWithin(one, query)',
    put: 'place > from && place < to && isWithin(one, {} as ArchiveQuery) && (!wanted || wanted.size > 0)',
    kills: { archive: ['J12 such an archive filters'] },
  },
  {
    name: 'ids that the archive does not know are passed over',
    file: 'core/archive-page.ts',
    find: "  if (!named.every(isNamed)) return 'item-not-found';\n",
    put: '  if (named.length < 0 && !isNamed(named[0])) return "item-not-found";\n',
    kills: { archive: ['J12 such an archive filters'] },
  },
  {
    name: 'ids that occupants have written are left as they are',
    file: 'core/archive.ts',
    find: '  for (const child of foreign) edit.remove(child);\n',
    put: '',
    // Prosody takes them away by itself.
    cells: 'jabberd2,account,tcp',
    kills: { archive: ['J12 messages of such a room carry ids'] },
  },
  {
    name: 'messages that are alike have one id',
    file: 'core/archive.ts',
    find: 'number = 2; taken.has(id); number',
    put: 'number = 2; taken.has(id) && number < 0; number',
    kills: { archive: ['J12 messages of such a room carry ids'] },
  },
  {
    name: 'what was taken back stays in the archive',
    file: 'core/stanza-log.ts',
    find: '    if (retraction) this.#retract(retraction, now);\n',
    put: '',
    kills: { archive: ['J12 what was taken back'] },
  },
  {
    name: 'rooms that have an archive are given another one',
    file: 'core/archive.ts',
    find: '  if (features.has(NS.mam) || features.has(NS.mam1)) return undefined;\n',
    put: '',
    kills: { archive: ['M5 a room that has an archive'] },
  },
  {
    name: 'archives are kept unasked',
    file: 'core/rules/archive.ts',
    find: "if (!state.settings.archive || info.type !== 'result') return;",
    put: "if (info.type !== 'result') return;",
    kills: { archive: ['M5 without `archive: on`'] },
    cells: 'jabberd2,account,tcp',
  },
  {
    name: 'what the store has of a room is not read',
    file: 'runtime/log-keeper.ts',
    find: 'return kept && { entries: stored.map(readEntry), kept };',
    put: 'return kept && NOTHING;',
    cells: 'prosody,account,tcp',
    kills: { 'log-store': ['M6 after a restart', 'M6 a node that takes', 'M6 a private message'] },
  },
  {
    name: 'what was taken back stays in the store',
    file: 'runtime/log-keeper.ts',
    find: '    .filter(({ place }) => place < written.end)\n',
    put: '    .filter(({ place }) => place < 0)\n',
    kills: { 'log-store': ['M6 after a restart'] },
  },
  {
    name: 'logs of rooms that were left stay in the store',
    file: 'core/end.ts',
    find: 'if (wasInside && keepsLogs) out.push',
    put: 'if (wasInside && keepsLogs && room.nick === undefined) out.push',
    kills: { 'log-store': ['M6 a room that the account leaves'] },
  },
];
