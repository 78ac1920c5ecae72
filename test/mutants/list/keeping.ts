/** Rules of sessions that the proxy keeps by itself, where the server has no XEP-0198 (S9, X3). */
import type { Mutant } from '../mutant.ts';

const cells = 'jabberd2,borrowed,tcp';

export const keeping: readonly Mutant[] = [
  {
    name: 'where the server has no stream management there is none',
    file: 'stream/features.ts',
    find: 'return namespaces.has(NS.bind) && !namespaces.has(NS.sm2)',
    put: 'return !namespaces.has(NS.bind) && !namespaces.has(NS.sm2)',
    cells,
    kills: { 'resume-own': ['S9'], 'resume-own-slow': ['X3'], 'resume-library': ['S9 xmpp.js'] },
  },
  {
    name: 'whoever knows the name of a session that the proxy keeps resumes it',
    file: 'stream/negotiation/proof.ts',
    find: 'if (owner === undefined || accountKey(owner) !== accountKey(jid)) return undefined;',
    put: 'if (owner === undefined || jid === owner) return undefined;',
    cells,
    kills: { 'resume-own': ["S9 another account's session"] },
  },
  {
    name: 'what the proxy has kept comes without the time at which it came',
    file: 'stream/management/own.ts',
    find: '  const end = text.lastIndexOf(',
    put: '  if (bare !== "") return text;\n  const end = text.lastIndexOf(',
    cells,
    kills: { 'resume-own': ['S9 a client that is cut off'] },
  },
  {
    name: 'what the client of a session that the proxy kept has not acknowledged is lost with it',
    file: 'runtime/session-hibernation.ts',
    find: '    if (legs.isOwn && stanzas && stanzas.length > 0) {',
    put: '    if (legs.isOwn && stanzas && stanzas.length < 0) {',
    cells,
    kills: {
      'resume-own': [
        'S9 a client that does not ask',
        'S9 its time over',
        "S9 the server's connection breaks",
        'S9 a device that comes back',
        'S9 when the proxy stops',
      ],
    },
  },
  {
    name: 'who asks a session that is over something gets no answer',
    file: 'core/rules/undelivered.ts',
    find: "    if (stanza.name === 'iq') refuse(turn, leaver, stanza);\n    else if",
    put: '    if',
    cells,
    kills: { 'resume-own': ['S9 its time over'] },
  },
  {
    name: 'a client that has stopped reading loses what was sent to it',
    file: 'runtime/session-legs.ts',
    find: '    else if (kept && managed?.isOwn) managed.keptForClient(stanza, kept);\n',
    put: '    else if (kept && managed?.isOwn) {\n      if (!this.client.congested) managed.keptForClient(stanza, kept);\n    }\n',
    cells,
    kills: { 'resume-own-slow': ['X3 a client that has stopped'] },
  },
  {
    name: 'what comes for a session while it has no connection is not kept',
    file: 'runtime/session-legs.ts',
    find: '    else if (kept && managed?.isOwn) managed.keptForClient(stanza, kept);\n',
    put: '    else if (kept && managed?.isOwn) {\n      if (!this.isHibernating) managed.keptForClient(stanza, kept);\n    }\n',
    cells,
    kills: { 'resume-own': ['S9 a client that is cut off'] },
  },
  {
    name: 'the server is read as fast as it sends, however slow the client',
    file: 'runtime/session.ts',
    find: '    if (this.#legs.isClientSlow && this.#seat.carrier.rooms.size === 0) this.#server.pause(',
    put: '    if (this.#legs.isClientSlow && this.#seat.carrier.rooms.size < 0) this.#server.pause(',
    cells,
    kills: { 'resume-own-slow': ['X3'] },
  },
  {
    name: 'a client is given more and more, however late it acknowledges',
    file: 'runtime/session-legs.ts',
    find: 'return this.client.congested || (this.isOwn && this.#managed?.exceeds(OWED) === true);',
    put: 'return this.client.congested;',
    cells,
    kills: { 'resume-own-slow': ['X3 a client that acknowledges late'] },
  },
  {
    name: 'a server that was slowed down is not read on when its client acknowledges',
    file: 'runtime/session-legs.ts',
    find: '        this.clientTakes();\n',
    put: '',
    cells,
    kills: { 'resume-own-slow': ['X3 a client that acknowledges late'] },
  },
];
