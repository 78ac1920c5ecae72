/** Rules that keep accounts, hosts and services apart (M9, M9a, S7, X3). */
import type { Mutant } from '../mutant.ts';

export const accounts: readonly Mutant[] = [
  {
    name: 'all accounts are one',
    file: 'runtime/accounts.ts',
    find: 'const account = this.#account(accountKey(bare), bare, bound);',
    put: "const account = this.#account('all' as BareKey, bare, bound);",
    kills: { groupchat: ['M9'], 'join-rooms': ['J8 a room with a password'] },
  },
  {
    name: 'accounts are told apart by the latest of all ways to normalise',
    file: 'xml/address.ts',
    find: 'return key !== undefined && key === lowerAscii(bare) ? key : (bare as BareKey);',
    put: 'return key ?? (bare as BareKey);',
    kills: { abuse: ['M9 two accounts'] },
  },
  {
    name: 'accounts are told apart as they are written',
    file: 'xml/address.ts',
    find: 'return key !== undefined && key === lowerAscii(bare) ? key : (bare as BareKey);',
    put: 'return bare as BareKey;',
    cells: 'ejabberd',
    kills: { 'stream-sasl': ['S7 a session is who the server has bound'] },
  },
  {
    name: 'whoever answers a join is taken for a service of rooms',
    file: 'core/rules/join-answer.ts',
    find: "return children.some((child) => child.name === 'identity' && child.attr('category') === 'conference');",
    put: "return children.some((child) => child.name === 'identity');",
    kills: { abuse: ['M9 a contact'] },
  },
  {
    name: 'services of rooms are not remembered',
    file: 'core/rules/join-answer.ts',
    find: '      if (isConference(stanza)) turn.state.services.learn(serviceOf(room));\n',
    put: '',
    kills: { abuse: ['a service that says'] },
  },
  {
    name: 'the limits of clients hold for the server too',
    file: 'app.ts',
    find: 'limits: { ...limits, ...limits.upstream, preAuthStanzaBytes: limits.upstream.stanzaBytes },',
    put: 'limits: { ...limits },',
    kills: { abuse: ['M9a what an occupant sends', 'X3'] },
  },
  {
    name: 'one stanza that is larger than the outbox does not fit',
    file: 'net/base-leg.ts',
    find: '    if (backlog > outboxBytes && backlog - size <= outboxBytes) this.#excess = size;\n',
    put: '',
    kills: { abuse: ['X3'] },
  },
  {
    name: 'names of sessions are compared without their host',
    file: 'runtime/recall.ts',
    find: 'return `${domain} ${previd}`;',
    put: 'return domain === "" ? "" : previd;',
    kills: { abuse: ['M9 the server of one host'] },
  },
  {
    name: 'resources are compared as they are written',
    file: 'runtime/accounts.ts',
    find: '    if (nickKey(resourceOf(carrier.jid)) !== asked) continue;\n',
    put: '    if (resourceOf(carrier.jid) !== resource || asked === undefined) continue;\n',
    kills: { abuse: ['a client that asks for its resource'] },
  },
];
