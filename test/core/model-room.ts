/** A room as the rules see one, as far as tests of the rules need it: who is in, who said what, who is told. Pure. */
import { NS } from '../../proxy/xml/names.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';

/** What reaches a stream: its full JID and the text. */
export interface Told {
  readonly to: string;
  readonly xml: string;
}

export interface RoomOptions {
  readonly room: string;
  /** Whether sessions of one account may share a nick. */
  readonly isShared: boolean;
  /** What it says of itself (XEP-0030). */
  readonly info?: string;
  /** Messages of its history that it gives at most; 100 unless told. */
  readonly historyMost?: number;
  /** Whether it gives messages ids (XEP-0359), as it does unless told. */
  readonly givesIds?: boolean;
  /** Whom it lets in (XEP-0045 section 7.2.6); undefined: anybody. */
  readonly password?: string | undefined;
  /** Whether a presence without the `muc` child is a way in (groupchat 1.0), as in ejabberd and mu-conference. */
  readonly knowsOld?: boolean;
  /** Whether it shows the others to who comes in only, and not to an occupant who joins once more, as mu-conference. */
  readonly showsOnce?: boolean;
}

export class ModelRoom {
  readonly #options: RoomOptions;
  /** Full JIDs of the account's streams in the room, with their nick. */
  readonly inside = new Map<string, string>();
  /** Nicks of other accounts' occupants. */
  readonly others = new Set(['bob']);
  readonly #history: { readonly xml: (to: string, delay: string) => string; readonly at: number }[] = [];
  /** What an independent occupant has seen of the account: `+` it came, `-` it left. */
  witnessed = '';
  /** What is shown of each stream that is in the room: how available it says to be. */
  readonly shows = new Map<string, string>();
  /** What is being discussed; empty: nothing was said of that. */
  subject = '';
  /** Bodies of what the account has said, in order. */
  readonly said: string[] = [];
  /** Pings that it has been asked. */
  pings = 0;
  /** The condition with which joins are refused, if they are. */
  refusal: string | undefined;
  /** The room has ended: who joins creates another. */
  isEnded = false;
  #serial = 0;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** A stanza of a stream reaches the room. */
  take(from: string, stanza: Stanza, now: number): Told[] {
    if (stanza.name === 'presence') return this.#presence(from, stanza);
    if (stanza.name === 'message') return this.#message(from, stanza, now);
    const isPing = stanza.root.child('ping', NS.ping) !== undefined;
    if (isPing && !this.inside.has(from)) {
      this.pings += 1;
      const error = `<error type='cancel'><not-acceptable xmlns='${NS.stanzaErrors}'/></error>`;
      return [{ to: from, xml: `<iq type='error' from='${stanza.to}' to='${from}' id='${stanza.id}'>${error}</iq>` }];
    }
    if (isPing) {
      this.pings += 1;
      return [{ to: from, xml: `<iq type='result' from='${stanza.to}' to='${from}' id='${stanza.id}'/>` }];
    }
    const { room, info } = this.#options;
    const query = info === undefined ? '' : `<query xmlns='${NS.discoInfo}'>${info}</query>`;
    return [{ to: from, xml: `<iq type='result' from='${room}' to='${from}' id='${stanza.id}'>${query}</iq>` }];
  }

  /** The stream has ended. */
  gone(from: string): Told[] {
    return this.#remove(from);
  }

  /** The independent occupant says something; returns its number. */
  say(now: number): { serial: number; told: Told[] } {
    this.#serial += 1;
    return { serial: this.#serial, told: this.#broadcast('bob', `b${this.#serial}`, String(this.#serial), now) };
  }

  /** The independent occupant says something to the account's nick: each of its streams has a copy. Returns the body. */
  whisper(): { body: string; told: Told[] } {
    this.#serial += 1;
    const body = `p${this.#serial}`;
    const from = `${this.#options.room}/bob`;
    const xml = (to: string): string =>
      `<message type='chat' from='${from}' to='${to}' id='${body}'><body>${body}</body><x xmlns='${NS.mucUser}'/></message>`;
    return { body, told: [...this.inside.keys()].map((to) => ({ to, xml: xml(to) })) };
  }

  /** The independent occupant changes the subject. */
  changeSubject(): Told[] {
    this.#serial += 1;
    this.subject = `t${this.#serial}`;
    return [...this.inside.keys()].map((to) => ({ to, xml: this.#subject(to) }));
  }

  #subject(to: string): string {
    const by = this.subject === '' ? '' : '/bob';
    const from = `from='${this.#options.room}${by}'`;
    const subject = this.subject === '' ? '<subject/>' : `<subject>${this.subject}</subject>`;
    return `<message type='groupchat' ${from} to='${to}'>${subject}</message>`;
  }

  /** An occupant of another account comes, or goes. */
  other(nick: string, isHere: boolean): Told[] {
    if (isHere) this.others.add(nick);
    else this.others.delete(nick);
    const type = isHere ? '' : " type='unavailable'";
    return [...this.inside.keys()].map((to) => ({ to, xml: this.#other(to, nick, type) }));
  }

  #other(to: string, nick: string, type: string): string {
    const item = `<item affiliation='owner' role='${type === '' ? 'moderator' : 'none'}'/>`;
    return `<presence from='${this.#options.room}/${nick}' to='${to}'${type}><x xmlns='${NS.mucUser}'>${item}</x></presence>`;
  }

  /** A moderator kicks the account's nick (XEP-0045 section 8.2). */
  kick(): Told[] {
    return this.#expel('307');
  }

  /** The room puts the account out over an error (XEP-0045 section 11.1). */
  throwOut(): Told[] {
    return this.#expel('333');
  }

  /** The room knows the account no more, and says nothing. */
  forget(): void {
    for (const jid of [...this.inside.keys()]) this.#remove(jid);
  }

  #expel(code: string): Told[] {
    const told = [...this.inside].map(([to, nick]) => ({ to, xml: this.#self(to, nick, 'unavailable', '', code) }));
    this.inside.clear();
    this.shows.clear();
    if (told.length > 0) this.witnessed += '-';
    return told;
  }

  #presence(from: string, stanza: Stanza): Told[] {
    const { room, isShared, knowsOld = false } = this.#options;
    const nick = (stanza.to ?? '').slice(room.length + 1);
    if (stanza.type === 'unavailable') {
      if (!this.inside.has(from)) return [];
      const own = this.inside.get(from);
      return [{ to: from, xml: this.#self(from, own ?? nick, 'unavailable', '') }, ...this.#remove(from)];
    }
    if (!this.inside.has(from) && !stanza.root.child('x', NS.muc) && !knowsOld) {
      // As Prosody does: groupchat 1.0 is no way in.
      const error = `<error type='cancel'><item-not-found xmlns='${NS.stanzaErrors}'/></error>`;
      const attributes = `from='${stanza.to}' to='${from}'${idOf(stanza)}`;
      return [{ to: from, xml: `<presence type='error' ${attributes}>${error}</presence>` }];
    }
    const { password } = this.#options;
    const given = stanza.root.child('x', NS.muc)?.child('password')?.text();
    const refusal = password === undefined || given === password ? this.refusal : 'not-authorized';
    if (refusal !== undefined && !this.inside.has(from)) {
      const error = `<error type='wait'><${refusal} xmlns='${NS.stanzaErrors}'/></error>`;
      return [
        {
          to: from,
          xml: `<presence type='error' from='${stanza.to}' to='${from}'${idOf(stanza)}>${error}</presence>`,
        },
      ];
    }
    const isTaken = [...this.inside].some(([jid, other]) => jid !== from && other === nick);
    if ((isTaken && !isShared) || this.others.has(nick)) {
      const error = `<error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/></error>`;
      return [
        {
          to: from,
          xml: `<presence type='error' from='${stanza.to}' to='${from}'${idOf(stanza)}>${error}</presence>`,
        },
      ];
    }
    this.shows.set(from, stanza.root.child('show')?.text() ?? '');
    if (this.inside.get(from) === nick && !stanza.root.child('x', NS.muc)) {
      // A new status (XEP-0045 section 7.7). To streams of another nick the occupant is another one.
      return [...this.inside].map(([to, own]) => ({
        to,
        xml: own === nick ? this.#self(to, nick, '', stanza.id ?? '') : this.#other(to, nick, ''),
      }));
    }
    const earlier = this.inside.get(from);
    if (this.inside.size === 0) this.witnessed += '+';
    const isIn = this.inside.has(from);
    this.inside.set(from, nick);
    if (earlier !== undefined && !stanza.root.child('x', NS.muc)) return this.#renamed(from, earlier, nick, stanza);
    return this.#answer(from, nick, stanza, isIn);
  }

  /** A new nick (XEP-0045 section 7.6). Of several streams one is renamed, and the old nick stays with the others. */
  #renamed(from: string, earlier: string, nick: string, { id = '' }: Stanza): Told[] {
    const isSplit = [...this.inside.values()].includes(earlier);
    const own = { to: from, xml: this.#self(from, nick, '', id) };
    const shown = this.#siblings(from).flatMap((to) => [
      ...(isSplit ? [] : [{ to, xml: this.#other(to, earlier, " type='unavailable'") }]),
      { to, xml: this.#shared(to, nick) },
    ]);
    // COMPAT: ejabberd renames one of several without a 303.
    if (isSplit && this.#options.knowsOld) return [own, ...shown];
    const end = this.#self(from, earlier, 'unavailable', '', '303').replace('<item ', `<item nick='${nick}' `);
    return [{ to: from, xml: end }, own, ...shown];
  }

  /** The account's other streams. */
  #siblings(from: string): string[] {
    return [...this.inside.keys()].filter((to) => to !== from);
  }

  #answer(from: string, nick: string, stanza: Stanza, isIn: boolean): Told[] {
    const { room, showsOnce = false } = this.#options;
    if (isIn && showsOnce) return [{ to: from, xml: this.#self(from, nick, '', stanza.id ?? '') }];
    const history = stanza.root.child('x', NS.muc)?.child('history');
    const since = Date.parse(history?.attr('since') ?? '') || 0;
    const most = Number(history?.attr('maxstanzas') ?? this.#options.historyMost ?? '100');
    const past = this.#history.filter(({ at }) => at >= since);
    const told: Told[] = [
      ...[...this.others].map((other) => ({ to: from, xml: this.#other(from, other, '') })),
      ...[...new Set(this.inside.values())].flatMap((other) =>
        other === nick ? [] : [{ to: from, xml: this.#other(from, other, '') }],
      ),
      { to: from, xml: this.#self(from, nick, '', stanza.id ?? '', this.isEnded ? '201' : '110') },
    ];
    for (const { xml, at } of most === 0 ? [] : past.slice(-most)) {
      const delay = `<delay xmlns='${NS.delay}' from='${room}' stamp='${new Date(at).toISOString()}'/>`;
      told.push({ to: from, xml: xml(from, delay) });
    }
    told.push({ to: from, xml: this.#subject(from) });
    return [...told, ...this.#siblings(from).map((to) => ({ to, xml: this.#shared(to, nick) }))];
  }

  /** Another stream of the account has come in under the nick. */
  #shared(to: string, nick: string): string {
    const isOwn = this.inside.get(to) === nick;
    const shown = this.#self(to, nick, '', '');
    // COMPAT: ejabberd does not say that it is the account's own.
    return isOwn && this.#options.knowsOld !== true
      ? shown
      : shown.replace("<status code='110'/>", '').replace(` jid='${to}'`, '');
  }

  #self(to: string, nick: string, type: string, id: string, code = '110'): string {
    const attributes = `${type === '' ? '' : ` type='${type}'`}${id === '' ? '' : ` id='${id}'`}`;
    const item = `<item affiliation='none' role='${type === '' ? 'participant' : 'none'}' jid='${to}'/>`;
    const show = type === '' ? this.shows.get(to) : undefined;
    const said = show ? `<show>${show}</show>` : '';
    return `<presence from='${this.#options.room}/${nick}' to='${to}'${attributes}>${said}<x xmlns='${NS.mucUser}'>${item}<status code='110'/>${code === '110' ? '' : `<status code='${code}'/>`}</x></presence>`;
  }

  #message(from: string, stanza: Stanza, now: number): Told[] {
    const nick = this.inside.get(from);
    if (nick === undefined) {
      return [
        {
          to: from,
          xml: `<message type='error' from='${stanza.to}' to='${from}'${idOf(stanza)}><error type='modify'><not-acceptable xmlns='${NS.stanzaErrors}'/></error></message>`,
        },
      ];
    }
    if (stanza.type !== 'groupchat') return [];
    this.said.push(stanza.root.child('body')?.text() ?? '');
    return this.#broadcast(nick, stanza.id ?? '', stanza.root.child('body')?.text() ?? '', now);
  }

  #broadcast(nick: string, id: string, body: string, now: number): Told[] {
    const { room, givesIds = true } = this.#options;
    const mark = givesIds ? `<stanza-id xmlns='${NS.stanzaId}' by='${room}' id='s${id}'/>` : '';
    const xml = (to: string, delay: string): string =>
      `<message type='groupchat' from='${room}/${nick}' to='${to}' id='${id}'><body>${body}</body>` +
      `${mark}${delay}</message>`;
    this.#history.push({ xml, at: now });
    return [...this.inside.keys()].map((to) => ({ to, xml: xml(to, '') }));
  }

  /** What others of the account's streams are told: a nick that nobody has any more is gone. */
  #remove(from: string): Told[] {
    const nick = this.inside.get(from);
    if (nick === undefined) return [];
    this.inside.delete(from);
    this.shows.delete(from);
    if (this.inside.size === 0) this.witnessed += '-';
    if ([...this.inside.values()].includes(nick)) return [];
    return this.#siblings(from).map((to) => ({ to, xml: this.#other(to, nick, " type='unavailable'") }));
  }
}

function idOf({ id }: Stanza): string {
  return id === undefined ? '' : ` id='${id}'`;
}
