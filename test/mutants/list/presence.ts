/** Rules of nicks, of status, and of what waits for an inactive client (L6, L7, S10). */
import type { Mutant } from '../mutant.ts';

export const presence: readonly Mutant[] = [
  {
    name: 'a new nick is not taken over',
    file: 'core/rules/room-presence.ts',
    find: "    setNick(turn, room, item?.attr('nick') ?? room.nick);\n",
    put: '',
    kills: { nick: ['L7 a new nick', 'L7 a device that joins after'], 'join-answer': ['J3 with nick: follow'] },
  },
  {
    name: 'a new nick is shown to nobody of the account',
    file: 'core/rules/room-presence.ts',
    find: `    forkSelf(turn, room, stanza);
    const item`,
    put: '    const item',
    kills: { nick: ['L7 a new nick'], 'join-answer': ['J3 with nick: follow'] },
  },
  {
    name: 'a rename is for the room a join of somebody else',
    file: 'core/rules/session-stanza.ts',
    find: '    else rename(turn, room, session, stanza, nick);\n',
    put: "    else turn.out.push({ kind: 'relay-upstream', session: session.id, stanza });\n",
    cells: 'ejabberd,account,tcp',
    kills: { nick: ['L7 a new nick', 'L7 two devices', 'L7 a rename and a leave'] },
  },
  {
    name: 'a refused nick is told to all joined sessions',
    file: 'core/rules/nick.ts',
    find: '  turn.out.toSession(session.id, readdress(stanza, { to: session.jid }), stanza);\n',
    put: '  turn.out.fork([...room.members.keys()], stanza);\n',
    kills: { nick: ['L7 a nick that is taken'] },
  },
  {
    name: 'a rename is not sent when its session leaves behind it',
    file: 'core/rules/nick.ts',
    find: '  notePending(room, { id: stanza.id, nick, session: session.id });\n  throughCarrier',
    put: '  notePending(room, { id: stanza.id, nick, session: session.id });\n  if (room.members.size === 0) throughCarrier',
    kills: { nick: ['L7 a rename and a leave', 'L7 two devices'] },
  },
  {
    name: 'a status update is kept from the room',
    file: 'core/rules/status.ts',
    find: '    throughCarrier(turn, room, session, stanza);\n',
    put: '',
    kills: { nick: ['L6 a status update'] },
  },
  {
    name: 'the room sees the status of the latest session, not of the most active one',
    file: 'core/rules/status.ts',
    find: '  if (mostActive(turn.state, room)?.id === session.id) {',
    put: '  if (mostActive(turn.state, room) !== undefined) {',
    kills: { nick: ['L6 a device that is less available'] },
  },
  {
    name: 'a status that the room does not see is shown to nobody',
    file: 'core/rules/status.ts',
    find: '    turn.out.toSession(session.id, reflection(room, session, stanza), stanza);\n',
    put: '',
    kills: { nick: ['L6 a device that is less available'] },
  },
  {
    name: 'an inactive client gets everything at once',
    file: 'runtime/account-runner.ts',
    find: 'if (session.mayHoldBack) this.#deliverLater',
    put: 'if (session.mayHoldBack && copies < 0) this.#deliverLater',
    kills: { inactive: ['S10'] },
  },
  {
    name: 'an inactive client gets each presence of an occupant',
    file: 'runtime/hold-back.ts',
    find: 'const key = occupant === undefined ? `${this.#serial}` : `of ${occupant}`;',
    put: 'const key = occupant === "" ? "" : `${this.#serial}`;',
    kills: { inactive: ['S10 of an occupant'] },
  },
  {
    name: 'a mention waits as all else',
    file: 'runtime/hold-back.ts',
    find: "return text?.includes(nick.toLowerCase()) ? 'now' : 'later';",
    put: "return text?.includes(nick.toLowerCase()) ? 'later' : 'later';",
    kills: { inactive: ['S10 chatter'] },
  },
  {
    name: 'a mention goes before what has waited',
    file: 'runtime/session.ts',
    find: `  deliver(text: Buffer): void {
    this.#clientState.passHeld();`,
    put: '  deliver(text: Buffer): void {',
    kills: { inactive: ['S10 chatter'] },
  },
];
