/** A client of the model: what it believes, by what it is told. */
import type { CarrierId } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';

/** What a client believes. */
export interface Believes {
  readonly jid: string;
  readonly carrier: CarrierId;
  place: 'out' | 'asking' | 'in';
  /** Id of the last join. */
  joinId: string;
  /** It asks from within: whoever is refused stays. */
  isWithin: boolean;
  /** Bodies of messages heard since the last join, the replayed ones included. */
  heard: string[];
  /** Errors to joins. */
  errors: number;
  /** Ids of the requests that it has put to the room by way of the account. */
  readonly asked: string[];
  /** What it has said in the room and has neither seen there nor got an error for. */
  readonly spoken: Set<string>;
  /** What it was told to be lost when nobody could have known for too long: the room may show it yet. */
  readonly givenUp: Set<string>;
  /** What others have said while it was in the room, and it has not heard. */
  readonly missing: Set<string>;
  /** Nicks of other occupants, as it was shown, and its own. */
  readonly sees: Set<string>;
  /** As it was before the last join, which may be refused from within. */
  before: Set<string>;
  nick: string;
  /** The subject that it was told last. */
  subject: string;
  /** How available it has said to be, and when. */
  show: string;
  statedAt: number;
  /** What was said to it in private. */
  readonly whispered: string[];
  /** All that it was told, in order. */
  readonly told: Stanza[];
}

/** One that has said and heard nothing. */
export function newClient(jid: string, carrier: CarrierId): Believes {
  return {
    jid,
    carrier,
    place: 'out',
    isWithin: false,
    heard: [],
    errors: 0,
    joinId: '',
    asked: [],
    spoken: new Set(),
    givenUp: new Set(),
    missing: new Set(),
    sees: new Set(),
    before: new Set(),
    nick: '',
    subject: '',
    show: '',
    statedAt: 0,
    whispered: [],
    told: [],
  };
}

/** It is told something. */
export function hear(client: Believes, stanza: Stanza, room: string): void {
  client.told.push(stanza);
  // Nobody hears the room for who has left it, or wants in again: of what was said before the history may tell, which comes later.
  const isOutside = client.place === 'out' || (client.place === 'asking' && !client.isWithin);
  if (isOutside && stanza.type === 'error') client.givenUp.add(stanza.id ?? '');
  if (stanza.name === 'message' && stanza.id !== undefined) client.spoken.delete(stanza.id);
  const nick = stanza.from?.startsWith(`${room}/`) ? stanza.from.slice(room.length + 1) : '';
  const codes = stanza.root.child('x', NS.mucUser)?.children.map((one) => one.attr('code')) ?? [];
  const isSelf = codes.includes('110');
  if (stanza.name === 'presence' && codes.includes('303')) {
    const item = stanza.root.child('x', NS.mucUser)?.child('item');
    if (isSelf) client.nick = item?.attr('nick') ?? nick;
    return;
  }
  if (stanza.name === 'presence' && stanza.type === 'error') {
    client.errors += 1;
    // An error to a nick change or a status puts nobody out, nor does one to a join that was given up before.
    const isBefore = /^[jk]/.test(stanza.id ?? '') && stanza.id !== client.joinId;
    if (client.place === 'asking' && !isBefore) {
      client.place = client.isWithin ? 'in' : 'out';
      for (const one of client.before) client.sees.add(one);
    }
  } else if (stanza.name === 'presence' && isSelf) {
    client.place = stanza.type === 'unavailable' ? 'out' : 'in';
    if (client.place === 'in') client.nick = nick;
    // Who was shown under that nick before was another stream of the account.
    client.sees.delete(nick);
    client.before.clear();
    // The answer to a join that asks for history: who joins twice in a row may be given it twice.
    if (stanza.id?.startsWith('j')) client.heard = [];
  } else if (stanza.name === 'presence' && nick !== '') {
    if (stanza.type === 'unavailable') for (const seen of [client.sees, client.before]) seen.delete(nick);
    else client.sees.add(nick);
  } else if (stanza.type === 'chat') {
    client.whispered.push(stanza.id ?? '');
  } else if (stanza.type === 'groupchat' && stanza.root.child('subject')) {
    client.subject = stanza.root.child('subject')?.text() ?? '';
  } else if (stanza.type === 'groupchat' && stanza.root.child('body')) {
    const body = stanza.root.child('body')?.text() ?? '';
    client.heard.push(body);
    client.missing.delete(body);
  }
  if (client.place === 'out') {
    // Who goes is not told what has become of the last words; where an error says that it is not known, a later stay may show them.
    for (const id of client.spoken) client.givenUp.add(id);
    client.spoken.clear();
    client.missing.clear();
    client.sees.clear();
  }
}
