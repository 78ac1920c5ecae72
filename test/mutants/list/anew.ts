/** Rules of devices that could not resume and begin anew at another node (S9): what they had not acknowledged of their rooms. */
import type { Mutant } from '../mutant.ts';

export const anew: readonly Mutant[] = [
  {
    name: 'a device is answered before its earlier session has ended elsewhere',
    file: 'core/rules/ghost.ts',
    find: '    if (!isComing && !hasGhost(turn.state, session, room)) return false;\n',
    put: '    if (!isComing && hasGhost(turn.state, session, room)) return false;\n',
    kills: { 'resume-anew': ['S9 a device that begins anew'] },
  },
  {
    name: 'how far a device has come is told when its session ends, and not before',
    file: 'runtime/session.ts',
    find: 'deps.isShared ? new Progress(',
    put: '!deps.isShared ? new Progress(',
    kills: { 'resume-anew': ['S9 kill -9'] },
  },
  {
    name: 'a session stays in the store when its time is over',
    file: 'store/memory-hibernations.ts',
    find: 'return kept && kept.expiresAt > now() ?',
    put: 'return kept ?',
    kills: { 'resume-late': ['S9 a device of which the store'] },
  },
  {
    name: 'a client that the server does not let resume may not bind',
    file: 'stream/negotiation/resumption.ts',
    find: "...refuse(stanza), ...letGo(state, 'authenticated')];",
    put: '...refuse(stanza)];',
    kills: { 'resume-late': ['S9 a device that comes to another node'] },
  },
  {
    name: 'a session is resumed in whatever version',
    file: 'runtime/accounts.ts',
    find: 'return session?.hibernation.version === version ? session.hibernation.prepare(h) : undefined;',
    put: 'return session?.hibernation.prepare(h);',
    kills: { 'resume-version': ['S9'] },
  },
  {
    name: 'the account asks its rooms for no history',
    file: 'core/rules/join.ts',
    find: '  const history = isGapWaiting(turn.state, room) ? historyOf(most) : accountHistory(historyWish(stanza), most);',
    put: '  const history = historyOf(0);',
    kills: { 'resume-killed': ['S9'] },
  },
  {
    name: 'a session that goes on elsewhere is ended at the server',
    file: 'runtime/session-hibernation.ts',
    find: '    if (!legs.isSuspended) legs.suspend();\n    this.#sleeper.leaves();',
    put: '    legs.server.end();\n    if (!legs.isSuspended) legs.suspend();\n    this.#sleeper.leaves();',
    kills: { 'push-nodes': ['S9 a device whose node has stopped'] },
  },
  {
    name: 'that a session is pushed for is forgotten when it goes on elsewhere',
    file: 'core/passage.ts',
    find: 'held: undefined, isHibernating: true,',
    put: 'held: undefined, push: undefined, isHibernating: true,',
    kills: { 'push-nodes': ['S9 a device that has gone on'] },
  },
];
