/** Rules of what is written to the store, and of what is said when it is away (C1, C3). */
import type { Mutant } from '../mutant.ts';

export const store: readonly Mutant[] = [
  {
    name: 'a join is not written to the store',
    file: 'runtime/membership-recorder.ts',
    find: '    this.#done(this.#memberships.join(account, room, id, fence));\n',
    put: '',
    kills: { 'store-redis': ['C1'] },
  },
  {
    name: 'a leave is not written to the store',
    file: 'runtime/membership-recorder.ts',
    find: '    this.#done(this.#memberships.leave(account, room, id, fence));\n',
    put: '',
    kills: { 'store-redis': ['C1'] },
  },
  {
    name: 'a session that goes stays in the store',
    file: 'runtime/membership-recorder.ts',
    find: '    this.#done(this.#memberships.removeSession(account, id));\n',
    put: '',
    kills: { 'store-redis': ['C1'] },
  },
  {
    name: 'whether the store is there makes nobody ready or not',
    file: 'app.ts',
    find: '    if (trouble !== undefined) reasons.push(trouble);\n',
    put: "    if (trouble === '') reasons.push(trouble);\n",
    kills: { 'store-redis': ['C3'] },
  },
];
