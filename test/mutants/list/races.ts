/** Rules of joins that cross each other, that are refused, late or never answered (J6, J7, J9, J11, J12). */
import type { Mutant } from '../mutant.ts';

export const races: readonly Mutant[] = [
  {
    name: 'each session that waits sends a join of its own',
    file: 'core/rules/join.ts',
    find: "if (room.phase === 'joining' && !room.attempt) startJoin(turn, room);",
    put: "if (room.phase === 'joining') startJoin(turn, room);",
    kills: {
      'join-race': ['J6 joins sent in one round trip'],
      'join-silence': ['J6 sessions that wait', 'J7 silence'],
    },
  },
  {
    name: 'a refusal is told to all who wait, whatever they wish',
    file: 'core/rules/join-answer.ts',
    find: 'const answered = room.waiting.filter((wait) => isSameWish(wait, attempt.wish));',
    put: 'const answered = room.waiting.slice();',
    kills: { 'join-race': ['J6 of joins that race'], 'join-silence': ['J6 the wish of the next'] },
  },
  {
    name: 'a refusal is told to one of those who wait',
    file: 'core/rules/join-answer.ts',
    find: 'const answered = room.waiting.filter((wait) => isSameWish(wait, attempt.wish));',
    put: 'const answered = room.waiting.splice(0).slice(0, 1);',
    kills: {
      'join-refused': ['J7 of sessions that wait together'],
      'join-silence': ['J6 the wish of the next', 'J7 an error of the network'],
    },
  },
  {
    name: 'a refusal comes from the room, and not from the address asked for',
    file: 'core/rules/join-answer.ts',
    find: 'escapeXml(wait.stanza.to ?? room.name)',
    put: 'escapeXml(room.name)',
    kills: { 'join-refused': ['J7 of sessions that wait together', 'J7 a room for members only'] },
  },
  {
    name: 'a refusal has not the words of the room',
    file: 'core/rules/join-answer.ts',
    find: "  if (!error) return errorXml('cancel',",
    put: "  if (!error || stanza.type === 'error') return errorXml('cancel',",
    cells: 'ejabberd,borrowed,tcp',
    kills: {
      'join-refused': [
        'J7 a password',
        'J7 a banned account',
        'J7 a room for members only',
        'J7 a nick that somebody',
        'J7 a full room',
        'J7 a room of an unknown domain',
        'J7 of sessions that wait',
      ],
      'join-silence': ['J7 an error of the network'],
      'join-race': ['J6 of joins that race'],
      'join-rooms': ['J8 a room with a password'],
      removal: ['L5 a ban', 'L5 a room made members-only'],
    },
  },
  {
    name: 'a refusal has no muc child',
    file: 'core/rules/join-answer.ts',
    find: "}><x xmlns='${NS.muc}'/>${error}</presence>`",
    put: '}>${error}</presence>`',
    cells: 'prosody,borrowed,tcp',
    kills: {
      'join-refused': ['J7 a password', 'J7 a room for members only', 'J7 a new room'],
      'join-silence': ['J7 silence'],
    },
  },
  {
    name: 'a join that is sent twice is answered twice',
    file: 'core/rules/join.ts',
    find: '  room.waiting = room.waiting.filter((waiting) => waiting !== earlier);\n',
    put: '',
    kills: { 'join-race': ['J6 a join that is sent twice'] },
  },
  {
    name: 'what comes behind a join is not held back',
    file: 'core/rules/session-stanza.ts',
    find: 'waiting.behind.push(detach(stanza));',
    put: "turn.out.push({ kind: 'relay-upstream', session: session.id, stanza });",
    kills: { 'join-race': ['J7 what a client sends'], 'join-silence': ['J7 what the client sends'] },
  },
  {
    name: 'what comes behind a join that is refused is forgotten',
    file: 'core/rules/join-answer.ts',
    find: '  for (const wait of answered) flushBehind(turn, wait);\n',
    put: '',
    kills: { 'join-refused': ['J7 stanzas behind a join'] },
  },
  {
    name: 'nobody waits for a join any more, and it is not taken back',
    file: 'core/rules/leave.ts',
    find: `  if (room.attempt) {
    leaveRoom(turn, room);
    return;
  }
  endOccupancy(turn, room);`,
    put: '  endOccupancy(turn, room);',
    kills: {
      'join-race': ['J7 a client that leaves in mid-join gets'],
      'join-silence': ['J7 a leave in mid-join', 'J7 a client that is gone'],
    },
  },
  {
    name: 'the join of a client that is gone in mid-join is of nobody, and stays',
    file: 'core/rules/sessions.ts',
    find: "    if (room.phase === 'joining' && room.waiting.length === 0) abandonJoin(turn, room);\n",
    put: '',
    and: [
      {
        file: 'core/rules/join-answer.ts',
        find: `  if (waiting.length === 0) {
    leaveRoom(turn, room);
    return;
  }`,
        put: '  if (waiting.length === 0) return;',
      },
    ],
    cells: 'prosody,account,tcp',
    kills: { 'join-race': ['J7 a client that is gone'] },
  },
  {
    name: 'a client that is gone in mid-join is waited for',
    file: 'core/rules/sessions.ts',
    find: '    room.waiting = room.waiting.filter((waiting) => waiting.session !== id);\n',
    put: '',
    cells: 'prosody,tcp',
    kills: { 'join-silence': ['J7 a client that is gone'] },
  },
  {
    name: 'a leave in mid-join takes back the join that siblings wait for',
    file: 'core/rules/leave.ts',
    find: '  if (room.members.size > 0 || room.waiting.length > 0) return;\n',
    put: '  if (room.members.size > 0) return;\n',
    kills: { 'join-silence': ['J6 sessions that wait'] },
  },
  {
    name: 'a leave in mid-join is not answered',
    file: 'core/rules/session-stanza.ts',
    find: 'if (isLeave && waiting.behind.length === 0) leave(turn, room, session, stanza);',
    put: 'if (isLeave) room.waiting = room.waiting.filter((wait) => wait !== waiting);',
    kills: {
      'join-race': ['J7 a client that leaves in mid-join gets'],
      'join-silence': ['J7 a leave in mid-join', 'J6 sessions that wait'],
    },
  },
  {
    name: 'who has left in mid-join is not let in again before the leave is over',
    file: 'core/rules/leave.ts',
    find: '  if (!first) return;\n',
    put: '  if (first !== null) return;\n',
    kills: {
      'join-race': ['J7 a client that leaves in mid-join and joins again'],
      'join-silence': ['J7 unless somebody rejoins'],
      'leave-session': ['L2 with no grace'],
    },
  },
  {
    name: 'a room that is silent is waited for without end',
    file: 'core/rules/join.ts',
    find: 'if (room.waiting.length === 0) out.setTimer(',
    put: "if (room.phase === 'ended') out.setTimer(",
    kills: { 'join-silence': ['J7 silence', 'J7 a success that comes', 'J7 a join behind a leave'] },
  },
  {
    name: 'the time for a join does not run while the account still leaves',
    file: 'core/rules/join.ts',
    find: 'if (room.waiting.length === 0) out.setTimer(',
    put: "if (room.waiting.length === 0 && room.phase !== 'leaving') out.setTimer(",
    kills: { 'join-silence': ['J7 a join behind a leave'] },
  },
  {
    name: 'silence is told as final',
    file: 'core/rules/join-answer.ts',
    find: "answerRefused(turn, room, wait, errorXml('wait', condition, text));",
    put: "answerRefused(turn, room, wait, errorXml('cancel', condition, text));",
    kills: { 'join-silence': ['J7 silence', 'J7 a join behind a leave'] },
  },
  {
    name: 'a success that comes too late is not left',
    file: 'core/rules/join-answer.ts',
    find: '  else if (carrier) leaveRoom(turn, room);\n',
    put: '',
    kills: { 'join-silence': ['J7 silence', 'J7 a success that comes'] },
  },
  {
    name: 'a join whose stream is lost is not sent again',
    file: 'core/rules/carrier-events.ts',
    find: '  if (room.attempt?.carrier === id) room.attempt = undefined;\n',
    put: '',
    kills: { 'join-silence': ['J7 a stream that is lost'] },
  },
  {
    name: 'a room that is not excluded by its own name is, and the other way round',
    file: 'runtime/session-routes.ts',
    find: 'exclude.includes(domain) || exclude.includes(key)',
    put: 'exclude.includes(domain)',
    kills: { 'join-rooms': ['J9 a room that is excluded'] },
  },
  {
    name: 'a service that is excluded is not left alone',
    file: 'runtime/session-routes.ts',
    find: 'exclude.includes(domain) || exclude.includes(key)',
    put: 'exclude.includes(key)',
    kills: { 'join-rooms': ['J9 a service that is excluded'] },
  },
  {
    name: 'the signs of gateways make an address malformed',
    file: 'xml/address.ts',
    find: `const NOT_IN_LOCAL = /["&'/:<>@`,
    put: `const NOT_IN_LOCAL = /["&'/:<>@%#`,
    kills: { 'join-silence': ['J9 rooms of a gateway'] },
  },
  {
    name: 'addresses are compared with their case',
    file: 'xml/address.ts',
    find: "replace(MAPPED_TO_NOTHING, '').toLowerCase();",
    put: "replace(MAPPED_TO_NOTHING, '');",
    kills: { 'join-addresses': ['J11 one room'] },
  },
  {
    name: 'nicks are compared as they are written',
    file: 'xml/address.ts',
    find: "const key = p === nick.length ? nick : nick.normalize('NFKC').replace(MAPPED_TO_NOTHING, '');",
    put: 'const key = nick;',
    kills: { 'join-addresses': ['J11 nicks'] },
  },
  {
    name: 'nicks are compared without their case',
    file: 'xml/address.ts',
    find: "const key = p === nick.length ? nick : nick.normalize('NFKC').replace(MAPPED_TO_NOTHING, '');",
    put: "const key = nick.normalize('NFKC').replace(MAPPED_TO_NOTHING, '').toLowerCase();",
    kills: { 'join-addresses': ['J11 nicks'] },
  },
  {
    name: 'a nick ends at its first slash',
    file: 'xml/address.ts',
    find: "  return slash < 0 ? '' : jid.slice(slash + 1);",
    put: "  return slash < 0 ? '' : (jid.slice(slash + 1).split('/')[0] ?? '');",
    kills: { 'join-addresses': ['J11 a nick with markup'] },
  },
  {
    name: 'what an attribute is set to is written as it is',
    file: 'xml/edit.ts',
    find: 'splices.push({ start: written.valueStart, end: written.valueEnd, text: escapeXml(value) });',
    put: 'splices.push({ start: written.valueStart, end: written.valueEnd, text: value });',
    and: [
      {
        file: 'xml/edit.ts',
        find: "text: ` ${name}='${escapeXml(value)}'` };",
        put: "text: ` ${name}='${value}'` };",
      },
    ],
    kills: { 'join-addresses': ['J11 a nick with markup'] },
  },
  {
    name: 'a self-presence is one that has 110',
    file: 'core/rules/join-answer.ts',
    find: "const isOwn = codes.includes('110') || (!room.marksSelf && keyOfNick(nick) === keyOfNick(room.nick));",
    put: "const isOwn = codes.includes('110');",
    kills: { 'join-silence': ['J12 a service without'] },
  },
  {
    name: 'a self-presence without 110 is passed on as it is',
    file: 'core/self-presence.ts',
    find: "  add.add('110');\n",
    put: '',
    kills: { 'join-silence': ['J12 a service without'] },
  },
];
