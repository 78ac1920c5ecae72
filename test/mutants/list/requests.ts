/** Rules of requests and of sessions that have not joined (M4, M5, L8, J10). */
import type { Mutant } from '../mutant.ts';

export const requests: readonly Mutant[] = [
  {
    name: "requests go to the room under the client's own id",
    file: 'core/rules/iq.ts',
    find: '  const id = freshId(state);\n',
    put: '  const id = stanza.id ?? freshId(state);\n',
    kills: { iq: ['M4 two sessions ask', 'M5'] },
  },
  {
    name: 'answers come under the id that the room was asked with',
    file: 'core/rules/iq.ts',
    find: "    else edit.setAttr(stanza.root, 'id', pending.originalId);\n",
    put: '',
    kills: { iq: ['M4 two sessions ask', 'M4 a request to an occupant', 'M4 an error of the room', 'M5'] },
  },
  {
    name: 'answers have the address of the carrier',
    file: 'core/rules/iq.ts',
    find: `    const edit = new Edit(stanza);
    edit.setAttr(stanza.root, 'to', session.jid);
    if (pending.originalId`,
    put: `    const edit = new Edit(stanza);
    if (pending.originalId`,
    cells: 'prosody,account,tcp',
    kills: {
      iq: ['M4 two sessions ask', 'M4 a request to an occupant'],
      'join-rooms': ['J10 a reserved room'],
      groupchat: ['M9'],
    },
  },
  {
    name: "requests go by the session's own stream",
    file: 'runtime/session-routes.ts',
    find: "    if (key !== undefined && concerns(view, key)) return 'account';\n",
    put: "    if (key !== undefined && stanza.name !== 'iq' && concerns(view, key)) return 'account';\n",
    kills: { iq: ['M4 a request to an occupant', 'L8'] },
  },
  {
    name: 'an answer is taken from whoever gives it',
    file: 'core/rules/iq.ts',
    find: "  if (!pending || pending.carrier !== carrier || !isFrom(stanza.from ?? '', pending.to)) return false;",
    put: '  if (!pending || pending.carrier !== carrier) return false;',
    cells: 'jabberd2,borrowed,tcp',
    kills: { iq: ['M4 what an occupant forges'] },
  },
  {
    name: "what is forged under the client's own id is passed on",
    file: 'core/stray.ts',
    find: 'if (session && isTaken(turn, session.id, stanza))',
    put: 'if (session && !isTaken(turn, session.id, stanza) && stanza.id === "")',
    cells: 'jabberd2,borrowed,tcp',
    kills: { iq: ['M4 what an occupant forges'] },
  },
  {
    name: 'a request that stays unanswered stays so',
    file: 'core/rules/iq.ts',
    find: '  out.setTimer(`iq ${id}`, state.settings.iqTimeoutMs);\n',
    put: '',
    kills: { iq: ['M4 a request that stays unanswered'] },
  },
  {
    name: 'a request whose carrier is lost waits for its answer',
    file: 'core/rules/carrier-events.ts',
    find: '  failRequestsOf(turn, id);\n',
    put: '',
    kills: { iq: ['M4 a request whose carrier is lost'] },
  },
  {
    name: 'a request of an occupant is put to the session that joined first',
    file: 'core/carriers.ts',
    find: '    if (!best || isGreater(rank, bestRank)) {',
    put: '    if (!best || rank === undefined) {',
    kills: { iq: ['M4 a request of an occupant'] },
  },
  {
    name: 'any session may answer a request of an occupant',
    file: 'core/rules/inbound.ts',
    find: '  if (pending?.session !== session.id) {',
    put: '  if (!pending) {',
    kills: { iq: ['M4 a request of an occupant'] },
  },
  {
    name: 'a request of an occupant waits while nobody is joined',
    file: 'core/rules/inbound.ts',
    find: '  if (!session || isSelfPing || isTooMuch) {',
    put: '  if (!session) return;\n  if (isSelfPing || isTooMuch) {',
    kills: { iq: ['M4 with no session joined'] },
  },
  {
    name: 'all requests of occupants are answered as a ping is',
    file: 'core/rules/inbound.ts',
    find: "  if (stanza.type === 'get' && stanza.root.child('ping', NS.ping)) {",
    put: "  if (stanza.type === 'get') {",
    kills: { iq: ['M4 with no session joined'] },
  },
  {
    name: 'a request that was put to a session which goes is not answered',
    file: 'core/rules/sessions.ts',
    find: '  inboundOver(turn, id);\n',
    put: '',
    kills: { iq: ['M4 the session that was asked goes'] },
  },
  {
    name: 'results of the archive are given to nobody in particular',
    file: 'core/rules/iq.ts',
    find: "  if (query) edit.setAttr(query, 'queryid', id);\n",
    put: '',
    kills: { iq: ['M5'] },
  },
  {
    name: 'results of the archive have the queryid that the room was asked with',
    file: 'core/rules/iq.ts',
    find: "  if (typeof pending.queryId === 'string') edit.setAttr(result, 'queryid', pending.queryId);\n  else edit.removeAttr(result, 'queryid');\n",
    put: '',
    kills: { iq: ['M5'] },
  },
  {
    name: 'a session that has not joined speaks in the name of the account',
    file: 'core/rules/session-stanza.ts',
    find: '  strangerStanza(turn, key, session, stanza);\n}',
    put: '  if (room) memberStanza(turn, room, session, stanza);\n}',
    kills: { iq: ['L8'] },
  },
  {
    name: 'presence as of groupchat 1.0 is relayed',
    file: 'core/rules/session-stanza.ts',
    find: '    if (isOccupant || state.services.isMuc(splitJid(key).domain)) {',
    put: '    if (isOccupant && state.services.isMuc(splitJid(key).domain) && nick === "") {',
    kills: { iq: ['L8'], abuse: ['a service that says'] },
  },
];
