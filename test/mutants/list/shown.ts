/** Rules by which what others and clients are shown is what it would be without the proxy. */
import type { Mutant } from '../mutant.ts';

export const shown: readonly Mutant[] = [
  {
    name: 'a service is taken for a room',
    file: 'runtime/session-routes.ts',
    find: '(domain !== key && seat.account.services.isMuc(domain))',
    put: 'seat.account.services.isMuc(domain)',
    kills: { 'join-addresses': ['J11 presence to a service'] },
  },
  {
    name: 'the message whose stamp a client names is given again',
    file: 'core/history.ts',
    find: 'if (entry.at === wish.since && isNoLater(entry, wish.sinceStamp)) break;',
    put: '',
    cells: 'ejabberd,tcp',
    kills: { 'join-history': ['J4 a client that names the stamp'] },
  },
  {
    name: 'rooms show account streams to the clients of other accounts',
    file: 'runtime/faces.ts',
    find: 'if (name !== undefined) edit.setAttr(node, name, shown);',
    put: 'if (name !== undefined) edit.removeAttr(node, `${name}s`);',
    cells: 'account,tcp',
    kills: { 'shown-addresses': ['J8 a room that shows addresses'] },
  },
  {
    name: 'who is invited is told of an account stream',
    file: 'runtime/faces.ts',
    find: "item.name === 'item' ? 'jid' : 'from'",
    put: "item.name === 'item' ? 'jid' : 'by'",
    cells: 'ejabberd,account,tcp',
    kills: { 'shown-addresses': ['J8 who is invited'] },
  },
  {
    name: 'who has left is shown as the stream that carried it',
    file: 'runtime/faces.ts',
    find: 'face.isIn ? undefined : known.last.get(room)',
    put: 'undefined',
    cells: 'account,tcp',
    kills: { 'shown-addresses': ['J8 a room that shows addresses'] },
  },
  {
    name: 'who waits to be let in has no face',
    file: 'core/face.ts',
    find: 'return { jid: first && sessions.get(first.session)?.jid, isIn: true };',
    put: 'return { jid: undefined, isIn: first !== undefined };',
    cells: 'account,tcp',
    kills: { 'shown-addresses': ['J8 a room that shows addresses'] },
  },
  {
    name: 'forms name devices to rooms',
    file: 'runtime/faces.ts',
    find: "if (this.#known.size === 0 || stanza.name !== 'message' || !stanza.bytes.includes(FORM_MARK)) return stanza;",
    put: 'if (this.#known.size >= 0) return stanza;',
    cells: 'account,tcp',
    kills: { 'shown-addresses': ['J8 voice is given'] },
  },
  {
    name: 'what cannot be had from the log is lost before the answer is complete',
    file: 'core/rules/join-answer.ts',
    find: '  tellEarly(turn, room, attempt);\n',
    put: '',
    kills: { 'join-steps': ['J2 a private word'] },
  },
];
