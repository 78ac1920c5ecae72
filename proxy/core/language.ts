/**
 * Languages of streams: a stanza that does not say in which language it is, is in that of its stream (RFC 6120 section 8.1.5). Where another
 * stream carries it, it says so itself.
 */
import { bareKey } from '../xml/address.ts';
import { Edit } from '../xml/edit.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { entryStanza } from './log-entry.ts';
import type { AccountState, Carrier, Occupancy, Session, Turn } from './state.ts';

/** What the headers of one stream to the server say (`xml:lang`); undefined where they say nothing. */
export interface Languages {
  /** Of what goes to the server. */
  readonly own: string | undefined;
  /** Of what comes from there, and goes to the stream's own client. */
  readonly server: string | undefined;
}

/** A tag of BCP 47, no longer than those that are of use: what else a header says is passed over. */
const TAG = /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,3}$/;

/** Undefined: they say nothing. */
export function languagesOf(own: string | undefined, server: string | undefined): Languages | undefined {
  const tag = (text: string | undefined): string | undefined =>
    text !== undefined && TAG.test(text) ? text.toLowerCase() : undefined;
  const languages = { own: tag(own), server: tag(server) };
  return languages.own === undefined && languages.server === undefined ? undefined : languages;
}

/** What a session says, fit for the stream that carries the room, or is to. */
export function inOwnLanguage(state: AccountState, session: Session, stanza: Stanza): Stanza {
  const own = session.languages?.own;
  if (own === undefined || !isAmongOthers(state, own, stanza)) return stanza;
  return saying(stanza, own);
}

/** Whether the stanza will go, or may go, on a stream with another language, or with none. */
function isAmongOthers(state: AccountState, own: string, { to = '' }: Stanza): boolean {
  const key = bareKey(to);
  const room = key === undefined ? undefined : state.rooms.get(key);
  const carrier = room?.carrier === undefined ? undefined : state.carriers.get(room.carrier);
  const isOther = (one: Carrier): boolean => one.languages?.own !== own;
  if (room && carrier && !room.move && !room.ahead) return isOther(carrier);
  // An account stream may come, in the server's own language.
  return state.accountStream !== 'off' || [...state.carriers.values()].some(isOther);
}

/** What a carrier has heard, fit for the streams of all sessions. */
export function inCarriersLanguage(state: AccountState, { languages }: Carrier, stanza: Stanza): Stanza {
  const server = languages?.server;
  if (server === undefined) return stanza;
  // Who hears it from the log may speak any.
  if (state.sessions.size === 0) return saying(stanza, server);
  for (const session of state.sessions.values()) {
    if (session.languages?.server !== server) return saying(stanza, server);
  }
  return stanza;
}

/**
 * Sessions have come. What was kept of rooms while all streams had one language says it from now on, where one of theirs is another: history,
 * subject and presences are shown to it as well. Beside a session of another language all has been said with it before.
 */
export function sayKept({ state, out }: Turn, newcomers: readonly Session[]): void {
  const others = [...state.sessions.values()].filter((one) => !newcomers.includes(one));
  for (const room of state.rooms.values()) {
    const carrier = room.carrier === undefined ? undefined : state.carriers.get(room.carrier);
    // All who were there agreed with a stream that is gone.
    const language = carrier ? carrier.languages?.server : others[0]?.languages?.server;
    const differs = (one: Session): boolean => one.languages?.server !== language;
    if (language === undefined || !newcomers.some(differs) || others.some(differs)) continue;
    room.log.rewrite((entry) => {
      if (entry.isUnlabelled) return undefined;
      const stanza = entryStanza(entry);
      const said = saying(stanza, language);
      return said === stanza ? undefined : { ...entry, text: Buffer.from(said.bytes) };
    });
    if (state.settings.keepsLogs) out.push({ kind: 'store-log', room: room.key });
    for (const [key, { nick, presence }] of room.roster) {
      room.roster.set(key, { nick, presence: saying(presence, language) });
    }
    room.self &&= saying(room.self, language);
    room.subject &&= saying(room.subject, language);
  }
}

/**
 * The language of what is kept of the room and does not say one, for who reads it when these streams are gone; undefined: it is not known. What was
 * heard on a stream of another language than the sessions' says so.
 */
export function keptLanguage({ carriers, sessions }: AccountState, room: Occupancy): string | undefined {
  const carrier = room.carrier === undefined ? undefined : carriers.get(room.carrier);
  const heardIn = carrier?.languages?.server;
  if (carrier && heardIn === undefined) return undefined;
  const spoken = new Set([...sessions.values()].map(({ languages }) => languages?.server));
  if (spoken.size > 1) return undefined;
  return spoken.size === 0 ? heardIn : [...spoken][0];
}

/** The stanza, which is in that language unless it says another. */
export function saying(stanza: Stanza, language: string): Stanza {
  if (stanza.root.attr('xml:lang') !== undefined) return stanza;
  const edit = new Edit(stanza).setAttr(stanza.root, 'xml:lang', language);
  return parseStanza(edit.toBuffer(), stanza.declarations);
}

/** As an attribute of a presence that is made from what is in another one; empty where that does not say. */
export function languageIn({ root }: Stanza): string {
  const language = root.attr('xml:lang');
  return language === undefined || !TAG.test(language) ? '' : ` xml:lang='${language}'`;
}
