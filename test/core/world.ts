/**
 * The rules of an account at work, without sockets: sessions, streams and a room, with every stanza on its way in a queue, so
 * that a test decides what arrives when. What each session is told is what its client would believe.
 */
import { step } from '../../proxy/core/account.ts';
import type { Effect } from '../../proxy/core/effects.ts';
import type { Input, Owed } from '../../proxy/core/inputs.ts';
import type { Languages } from '../../proxy/core/language.ts';
import { Services } from '../../proxy/core/services.ts';
import { LATE_MS } from '../../proxy/core/stanza-log.ts';
import {
  type AccountState,
  type CarrierId,
  createAccountState,
  type SessionId,
  type Settings,
} from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza, type Stanza } from '../../proxy/xml/stanza.ts';
import { type Believes, hear, newClient } from './model-client.ts';
import { ModelRoom, type RoomOptions } from './model-room.ts';

export const ROOM = 'room@muc.test';
/** Another room of the same service. */
export const OTHER = 'other@muc.test';
export const BARE = 'alice@test';

export const settings: Settings = {
  graceMs: 10_000,
  leaveWhen: 'auto',
  nickPolicy: 'account',
  presenceAbsent: 'xa',
  presencePauseMs: 5000,
  lingerMs: 60_000,
  healMs: 300_000,
  selfPingMs: 0,
  joinTimeoutMs: 30_000,
  iqTimeoutMs: 60_000,
  historyStanzas: 500,
  historyAgeMs: 7 * 86_400_000,
  historyBytes: 1 << 20,
  historyDefault: 20,
  carrierStanzaBytes: 60_000,
};

/** What makes an account of nothing. */
const BEGINS: ReadonlySet<Input['kind']> = new Set(['session-bound', 'sessions-missed', 'late-letter', 'arrive']);

export class World {
  /** Begun anew with the first session behind the end of the last one. */
  state: AccountState;
  readonly #begin: () => AccountState;
  readonly room: ModelRoom;
  readonly other: ModelRoom;
  readonly sessions = new Map<SessionId, Believes>();
  readonly timers = new Map<string, number>();
  readonly counted: Effect[] = [];
  isIdle = false;
  /**
   * A message of the room was on its way for longer than a rejoin asks back: it does not say by its coming when the next ones were
   * said.
   */
  isSlow = false;
  now = 1_700_000_000_000;
  /** Streams that are open, by JID. */
  readonly #streams = new Map<string, CarrierId>();
  /** On their way, in order for each stream and in no order between streams: to the room by JID, to the account by carrier. */
  readonly #up = new Map<string, Stanza[]>();
  readonly #down = new Map<CarrierId, Stanza[]>();
  /** All that went to carriers. */
  readonly sent: { readonly carrier: CarrierId; readonly stanza: Stanza }[] = [];
  /** Carriers whose client's broadcast `unavailable` has not been passed on yet. */
  readonly #withheld = new Set<CarrierId>();
  /** Carriers of which nothing arrives: what the room says to them is with their server. */
  readonly #deaf = new Set<CarrierId>();
  /** Private messages that have come to the account, and those that a session was told. */
  readonly arrived = new Set<string>();
  readonly whispered = new Set<string>();
  #serial = 0;
  readonly #saidAt = new Map<string, number>();
  isOpening = false;
  /** What the server answers to questions about the account, inside the result; undefined: nothing. */
  answerForAccount: (() => string) | undefined;

  constructor(
    options: {
      readonly isShared?: boolean;
      readonly settings?: Partial<Settings>;
      readonly prefix?: string;
      readonly room?: Partial<RoomOptions>;
    } = {},
  ) {
    const isShared = options.isShared ?? true;
    this.room = new ModelRoom({ room: ROOM, isShared, ...options.room });
    this.other = new ModelRoom({ room: OTHER, isShared });
    const services = new Services();
    let lives = 0;
    this.#begin = () => {
      const prefix = `${options.prefix ?? 'm-'}${lives === 0 ? '' : `${lives}-`}`;
      lives += 1;
      return createAccountState(BARE, prefix, { ...settings, ...options.settings }, services);
    };
    this.state = this.#begin();
  }

  /** A client binds; `device`: what it is known by when it comes back; `asked`: the resource that it wants. */
  bind(device?: string, asked = `r${this.#serial + 1}`, languages?: Languages): SessionId {
    this.#serial += 1;
    const id = `s${this.#serial}` as SessionId;
    const carrier = `c${this.#serial}` as CarrierId;
    const jid = `${BARE}/r${this.#serial}`;
    this.sessions.set(id, newClient(jid, carrier));
    this.#streams.set(jid, carrier);
    this.input({ kind: 'session-bound', session: id, jid, asked, carrier, device, languages });
    this.input({ kind: 'session-presence', session: id, available: true, show: '', priority: 0 });
    return id;
  }

  join(session: SessionId, nick = 'alice', history = ''): void {
    const client = this.client(session);
    // From within it may be a nick change (XEP-0045 section 7.6), as `joinAs`.
    client.isWithin = client.place === 'in' || (client.place === 'asking' && client.isWithin);
    client.place = 'asking';
    client.heard = [];
    client.before = new Set(client.isWithin ? [...client.before, ...client.sees] : []);
    client.sees.clear();
    this.#state(client, '');
    client.joinId = `j${++this.#serial}`;
    const muc = `<x xmlns='${NS.muc}'>${history}</x>`;
    this.send(session, `<presence id='${client.joinId}' to='${ROOM}/${nick}'>${muc}</presence>`);
  }

  leave(session: SessionId): void {
    this.send(session, `<presence type='unavailable' to='${ROOM}/alice'/>`);
  }

  say(session: SessionId, body: string): void {
    this.send(session, `<message type='groupchat' id='${body}' to='${ROOM}'><body>${body}</body></message>`);
  }

  /** A session that has joined says something that nobody has said before. */
  speak(session: SessionId): void {
    const client = this.client(session);
    if (client.place !== 'in') return;
    this.#serial += 1;
    client.spoken.add(`w${this.#serial}`);
    this.say(session, `w${this.#serial}`);
  }

  /** A session joins, says something and goes, all at once; returns what it has said. */
  farewell(session: SessionId, isUnavailable = false): string {
    if (this.client(session).place === 'out') this.join(session);
    this.#serial += 1;
    const body = `f${this.#serial}`;
    this.say(session, body);
    if (isUnavailable) this.input({ kind: 'session-presence', session, available: false, show: '', priority: 0 });
    this.drop(session);
    return body;
  }

  /** A session that has joined says how available it is. */
  status(session: SessionId, show: string): void {
    const client = this.client(session);
    if (client.place !== 'in') return;
    this.#state(client, show);
    this.#serial += 1;
    this.send(session, `<presence id='n${this.#serial}' to='${ROOM}/${client.nick}'>${showing(show)}</presence>`);
  }

  #state(client: Believes, show: string): void {
    client.show = show;
    client.statedAt = this.now;
  }

  /** A session that has joined changes the nick. */
  rename(session: SessionId, nick: string): void {
    const client = this.client(session);
    if (client.place !== 'in') return;
    this.#state(client, client.show);
    this.#serial += 1;
    this.send(session, `<presence id='n${this.#serial}' to='${ROOM}/${nick}'>${showing(client.show)}</presence>`);
  }

  /** A session that has joined joins under another nick, and wants to hear nothing again. */
  joinAs(session: SessionId, nick: string): void {
    const client = this.client(session);
    if (client.place !== 'in') return;
    client.place = 'asking';
    client.isWithin = true;
    this.#state(client, '');
    client.joinId = `k${++this.#serial}`;
    const muc = `<x xmlns='${NS.muc}'><history maxstanzas='0'/></x>`;
    this.send(session, `<presence id='${client.joinId}' to='${ROOM}/${nick}'>${muc}</presence>`);
  }

  /** A session that has joined, or waits to, asks the room something. */
  ask(session: SessionId): void {
    const { asked, place } = this.client(session);
    if (place === 'out') return;
    this.#serial += 1;
    asked.push(`q${this.#serial}`);
    this.send(session, `<iq type='get' id='q${this.#serial}' to='${ROOM}'><query xmlns='${NS.discoInfo}'/></iq>`);
  }

  /** The client's connection ends. */
  drop(session: SessionId): void {
    this.sessions.delete(session);
    this.input({ kind: 'session-gone', session });
  }

  /** The session goes on at another node, and comes there within a minute or not at all. */
  setOut(session: SessionId): void {
    this.input({ kind: 'session-gone', session, goesOnMs: 60_000 });
  }

  /** The client's connection ends, and its stream may be kept for its rooms. */
  park(session: SessionId): void {
    this.sessions.delete(session);
    this.input({ kind: 'session-gone', session, mayPark: true });
  }

  /** The client says that it is unavailable, and then that it is not: it has left all rooms. */
  blink(session: SessionId): void {
    const client = this.client(session);
    this.#withheld.add(client.carrier);
    this.input({ kind: 'session-presence', session, available: false, show: '', priority: 0 });
    client.place = 'out';
    this.input({ kind: 'session-presence', session, available: true, show: '', priority: 0 });
  }

  /** The client's connection drops, and its stream's connection with it: its server keeps what comes for it from now on. */
  sleep(session: SessionId): void {
    this.#deaf.add(this.client(session).carrier);
    this.input({ kind: 'session-hibernates', session, isDeaf: true });
  }

  /** A session's own stream is ended by the server, and the session with it. */
  lose(session: SessionId): void {
    const { carrier, jid } = this.client(session);
    this.#streams.delete(jid);
    this.#gone(jid);
    this.input({ kind: 'carrier-lost', carrier });
    // What it is told up to here reaches its client, or is seen to as undelivered.
    this.sessions.delete(session);
    this.input({ kind: 'session-gone', session });
  }

  /** A stream whose client has gone, and that is kept until its rooms are handed over, is ended by the server. */
  loseHeld(): void {
    const open = [...this.#streams].find(([jid]) => ![...this.sessions.values()].some((one) => one.jid === jid));
    if (!open || open[1].startsWith('a')) return;
    this.#end(open[0]);
    this.input({ kind: 'carrier-lost', carrier: open[1] });
  }

  /** The account stream that was asked for opens, or does not. */
  accountStream(isOpen: boolean, isFinal = false): void {
    if (!this.isOpening) return;
    this.isOpening = false;
    if (!isOpen) {
      this.input({ kind: 'account-stream-failed', final: isFinal });
      return;
    }
    this.#serial += 1;
    const carrier = `a${this.#serial}` as CarrierId;
    const jid = `${BARE}/rooms${this.#serial}`;
    this.#streams.set(jid, carrier);
    this.input({ kind: 'carrier-ready', carrier, type: 'account-stream', jid });
  }

  /** `known`: the server acknowledges nothing, or did not tell what it had when the stream was lost, or told. */
  loseAccountStream(known: 'nothing' | 'doubtful' | 'all' = 'nothing'): void {
    const carrier = [...this.state.carriers.values()].find(({ kind }) => kind === 'account-stream');
    if (!carrier) return;
    const owed = this.#owed(carrier.jid, known);
    this.#streams.delete(carrier.jid);
    this.#gone(carrier.jid);
    this.input({ kind: 'carrier-lost', carrier: carrier.id, ...(owed && { owed }) });
  }

  /** Where the server does not tell, half of what was on its way has reached the room. */
  #owed(jid: string, known: 'nothing' | 'doubtful' | 'all'): Owed | undefined {
    const queue = this.#up.get(jid) ?? [];
    const last = [...queue];
    if (known === 'all') {
      queue.length = 0;
      return { unsent: last, unacknowledged: [] };
    }
    for (let count = queue.length >> 1; count > 0; count -= 1) this.#atRoom(jid, queue);
    return known === 'doubtful' ? { unsent: [], unacknowledged: last } : undefined;
  }

  /** The independent occupant says something; returns the body. */
  roomSays(): string {
    const { serial, told } = this.room.say(this.now);
    this.#saidAt.set(`b${serial}`, this.now);
    for (const client of this.sessions.values()) if (client.place === 'in') client.missing.add(String(serial));
    this.#tell(told);
    return String(serial);
  }

  /** The independent occupant changes the subject. */
  changeSubject(): void {
    this.#tell(this.room.changeSubject());
  }

  /** Other occupants come, or go. */
  others(nick: string, isHere: boolean): void {
    this.#tell(this.room.other(nick, isHere));
  }

  /** The independent occupant says something to the account alone, and it is returned. */
  whisper(): string {
    const { body, told } = this.room.whisper();
    this.#tell(told);
    return body;
  }

  send(session: SessionId, xml: string): void {
    this.input({ kind: 'session-stanza', session, stanza: parseStanza(xml) });
  }

  client(session: SessionId): Believes {
    const client = this.sessions.get(session);
    if (!client) throw new Error(`no session ${session}`);
    return client;
  }

  /** The room removes the account: each of its streams is told. */
  kick(): void {
    this.#tell(this.room.kick());
  }

  /** The room puts the account out, which nobody wanted. */
  throwOut(): void {
    this.#tell(this.room.throwOut());
  }

  /** A stanza of the room's side arrives on a carrier, before whatever else is on its way. */
  arrives(carrier: CarrierId, xml: string): void {
    this.input({ kind: 'carrier-stanza', carrier, stanza: parseStanza(xml) });
  }

  /** One stanza arrives, at the room or at the account, on one of the streams. Returns false when nothing is on its way. */
  arrive(isUp: boolean, stream = 0): boolean {
    const ups = [...this.#up].filter(([, queue]) => queue.length > 0);
    const downs = [...this.#down].filter(([, queue]) => queue.length > 0);
    const up = ups[stream % Math.max(1, ups.length)];
    const down = downs[stream % Math.max(1, downs.length)];
    if (up && (isUp || !down)) this.#atRoom(up[0], up[1]);
    else if (down) this.#atAccount(down[0], down[1]);
    return up !== undefined || down !== undefined;
  }

  /** The next of what is on its way to the account on that stream; false: there is nothing. */
  arriveOn(carrier: CarrierId): boolean {
    const queue = this.#down.get(carrier);
    if (!queue?.length) return false;
    this.#atAccount(carrier, queue);
    return true;
  }

  #atRoom(jid: string, queue: Stanza[]): void {
    const stanza = queue.shift();
    if (!stanza) return;
    if (stanza.toAt < 0 && stanza.name === 'iq') {
      this.#atAccountServer(jid, stanza);
      return;
    }
    if (stanza.toAt < 0) this.#gone(jid);
    // To a session of the account, past the room.
    else if (stanza.to?.startsWith(BARE)) return;
    else if (this.#streams.has(jid)) {
      const room = stanza.to?.startsWith(OTHER) ? this.other : this.room;
      this.#tell(room.take(jid, stanza, this.now));
    }
  }

  /** What is asked of the account itself is answered where a test says how. */
  #atAccountServer(jid: string, { id }: Stanza): void {
    const answer = this.answerForAccount?.();
    if (answer === undefined || !this.#streams.has(jid)) return;
    this.#tell([{ to: jid, xml: `<iq type='result' from='${BARE}' to='${jid}' id='${id}'>${answer}</iq>` }]);
  }

  #atAccount(carrier: CarrierId, queue: Stanza[]): void {
    const stanza = queue.shift();
    if (!stanza) return;
    if (stanza.type === 'chat' && this.state.carriers.has(carrier) && !this.isIdle) this.arrived.add(stanza.id ?? '');
    // What the room repeats bears the time at which it was said; what comes on a stream that is lost reaches nobody.
    const isTimed = stanza.root.child('delay', NS.delay) !== undefined || !this.state.carriers.has(carrier);
    if (!isTimed && this.now - (this.#saidAt.get(stanza.id ?? '') ?? this.now) > LATE_MS) this.isSlow = true;
    const owner = [...this.sessions].find(([, client]) => client.carrier === carrier);
    const isOwn = stanza.name === 'iq' && !stanza.id?.startsWith(this.state.idPrefix);
    const isOccupant = [...this.state.rooms.keys()].some((key) => this.state.carriers.get(carrier)?.rooms.has(key));
    if (owner && isOwn && !isOccupant) this.#hear(owner[0], stanza);
    else this.input({ kind: 'carrier-stanza', carrier, stanza });
  }

  /** What is on its way on the session's own stream, towards the server. */
  onItsWay(session: SessionId): readonly Stanza[] {
    return this.#up.get(this.client(session).jid) ?? [];
  }

  /** What is on its way to the room arrives there, and what that leads to does not come yet. */
  reach(): void {
    for (const [jid, queue] of this.#up) while (queue.length > 0) this.#atRoom(jid, queue);
  }

  /** Everything that is on its way arrives. */
  settle(): void {
    while (this.arrive(true));
  }

  /** The timer that is due first runs out, but for those. Returns its key. */
  fire(...except: string[]): string | undefined {
    const next = [...this.timers].filter(([key]) => !except.includes(key)).sort(([, a], [, b]) => a - b)[0];
    if (!next) return undefined;
    this.now = Math.max(this.now, next[1]);
    this.timers.delete(next[0]);
    const told = new Map([...this.sessions].map(([id, client]) => [id, client.told.length]));
    this.input({ kind: 'timer', key: next[0] });
    if (next[0].startsWith('stranded ')) {
      for (const [id, { told: all, givenUp }] of this.sessions)
        for (const one of all.slice(told.get(id))) if (one.type === 'error') givenUp.add(one.id ?? '');
    }
    return next[0];
  }

  input(input: Input): void {
    this.now += 1;
    if (this.isIdle) {
      // Nobody hears of what comes on streams, or late, behind the end.
      if (!BEGINS.has(input.kind)) return;
      this.state = this.#begin();
      this.isIdle = false;
    }
    for (const effect of step(this.state, input, this.now)) this.#apply(effect);
  }

  #tell(told: readonly { readonly to: string; readonly xml: string }[]): void {
    for (const { to, xml } of told) {
      const carrier = this.#streams.get(to);
      const stanza = parseStanza(xml);
      const { name, id } = stanza;
      if (name === 'message' && id !== undefined && !this.#saidAt.has(id)) this.#saidAt.set(id, this.now);
      if (carrier !== undefined && !this.#deaf.has(carrier)) append(this.#down, carrier, stanza);
    }
  }

  #apply(effect: Effect): void {
    switch (effect.kind) {
      case 'fork':
        for (const id of effect.sessions) this.#hear(id, effect.stanza);
        return;
      case 'to-session':
        this.#hear(effect.session, parseStanza(effect.xml));
        return;
      case 'to-carrier': {
        const jid = [...this.#streams].find(([, id]) => id === effect.carrier)?.[0];
        const stanza = parseStanza(effect.xml);
        this.sent.push({ carrier: effect.carrier, stanza });
        if (jid !== undefined) append(this.#up, jid, stanza);
        return;
      }
      case 'relay-upstream': {
        const client = this.sessions.get(effect.session);
        if (client) append(this.#up, client.jid, effect.stanza);
        return;
      }
      case 'relay-downstream': {
        const owner = [...this.sessions].find(([, { carrier }]) => carrier === effect.carrier);
        if (owner) this.#hear(owner[0], effect.stanza);
        this.counted.push(effect);
        return;
      }
      case 'open-account-stream':
        this.isOpening = true;
        return;
      case 'close-account-stream':
        for (const [jid, id] of [...this.#streams]) if (id.startsWith('a')) this.#end(jid);
        return;
      case 'carrier-free': {
        const isOwned = [...this.sessions.values()].some(({ carrier }) => carrier === effect.carrier);
        const jid = [...this.#streams].find(([, id]) => id === effect.carrier)?.[0];
        if (jid === undefined) return;
        if (!isOwned) this.#end(jid);
        else if (this.#withheld.delete(effect.carrier)) {
          append(this.#up, jid, parseStanza("<presence type='unavailable'/>"));
        }
        return;
      }
      case 'set-timer':
        this.timers.set(effect.key, this.now + effect.ms);
        return;
      case 'clear-timer':
        this.timers.delete(effect.key);
        return;
      case 'idle':
        this.isIdle = true;
        this.timers.clear();
        return;
      default:
        this.counted.push(effect);
    }
  }

  #end(jid: string): void {
    this.#streams.delete(jid);
    this.#gone(jid);
  }

  #gone(jid: string): void {
    this.#tell([...this.room.gone(jid), ...this.other.gone(jid)]);
  }

  #hear(id: SessionId, stanza: Stanza): void {
    const client = this.sessions.get(id);
    if (!client) return;
    hear(client, stanza, ROOM);
    if (stanza.type === 'chat') this.whispered.add(stanza.id ?? '');
  }
}

function showing(show: string): string {
  return show === '' ? '' : `<show>${show}</show>`;
}

function append<K>(queues: Map<K, Stanza[]>, key: K, stanza: Stanza): void {
  const queue = queues.get(key);
  if (queue) queue.push(stanza);
  else queues.set(key, [stanza]);
}
