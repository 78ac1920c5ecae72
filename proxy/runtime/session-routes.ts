/**
 * Where a stanza of a session goes (DESIGN "What passes through, what is rewritten"): decided here, done by the session.
 */

import { changesBookmarks } from '../core/bookmarks.ts';
import { isNudge } from '../core/nudge.ts';
import { changesSubscription } from '../core/subscription.ts';
import type { AccountView, Seat } from '../core/view.ts';
import { guardBound, type Refusal } from '../stream/client-guard.ts';
import { type BareKey, bareKey, resourceOf, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';
import { ACCOUNT_RESOURCE } from './account-stream.ts';
import { isCarbonOfJoined } from './carbons.ts';

/** What the decision depends on; the rules change what it holds. */
export interface RouteView {
  readonly seat: Seat;
  /** Services and rooms that are relayed only (J9). */
  readonly exclude: readonly string[];
  /** How ids began that the proxy made for the account when the session was another node's. */
  readonly idPrefixes: readonly string[];
}

export type UpRoute = 'account' | 'relay' | 'broadcast' | 'client-state' | 'switch' | Refusal;

/** A stanza or other first-level element of the client. */
export function routeUp(stanza: Stanza, view: RouteView): UpRoute {
  if (stanza.ns !== NS.client) return stanza.ns === NS.csi ? 'client-state' : (guardBound(stanza) ?? 'relay');
  if (stanza.name === 'presence') return routePresence(stanza, view);
  const { session, carrier } = view.seat;
  // Not the account's own rooms: where its home is paused the session's join is not known there yet.
  if (stanza.toAt >= 0 && (session.rooms.size > 0 || carrier.rooms.size > 0)) {
    const key = bareKey(stanza.to ?? '');
    if (key !== undefined && concerns(view, key)) return 'account';
  }
  if (stanza.name !== 'iq' || stanza.type !== 'set') return 'relay';
  return guardBound(stanza) ?? (isSwitch(stanza, view.seat.account) ? 'switch' : 'relay');
}

function routePresence(stanza: Stanza, view: RouteView): UpRoute {
  if (stanza.toAt < 0) return stanza.type === undefined || stanza.type === 'unavailable' ? 'broadcast' : 'relay';
  const to = stanza.to ?? '';
  const key = bareKey(to);
  if (key === undefined) return 'relay';
  if (concerns(view, key) || isWish(view, key, stanza)) return 'account';
  return stanza.type === undefined && resourceOf(to) !== '' && isEntry(view, key, stanza) ? 'account' : 'relay';
}

/** Whether stanzas to this room are the account's to handle. */
function concerns({ seat: { session, carrier } }: RouteView, key: BareKey): boolean {
  return session.rooms.has(key) || carrier.rooms.has(key);
}

/** A join, or a groupchat-1.0 presence to a room of a service that is known to be one: the service itself is none. */
function isEntry({ exclude, seat }: RouteView, key: BareKey, stanza: Stanza): boolean {
  const { domain } = splitJid(key);
  if (exclude.includes(domain) || exclude.includes(key)) return false;
  return stanza.root.child('x', NS.muc) !== undefined || (domain !== key && seat.account.services.isMuc(domain));
}

/** What a client says to a service about activity in rooms in which it is not (XEP-0437). */
function isWish({ exclude, seat }: RouteView, key: BareKey, { root, type }: Stanza): boolean {
  if (splitJid(key).domain !== key || exclude.includes(key)) return false;
  return type === 'unavailable' ? seat.session.hides !== undefined : root.child('rai', NS.rai) !== undefined;
}

/** XEP-0280 section 4, XEP-0357 section 5, bookmarks: sent to the account itself, by name or without; a subscription to a room (MUC/Sub). */
function isSwitch(stanza: Stanza, { bare, settings }: AccountView): boolean {
  if (stanza.id === undefined) return false;
  if (stanza.toAt >= 0 && stanza.to !== bare) return stanza.bytes.includes(NS.mucSub) && changesSubscription(stanza);
  const ns = stanza.root.children[0]?.ns;
  return ns === NS.carbons || ns === NS.push || (settings.bookmarks !== undefined && changesBookmarks(stanza));
}

export type DownRoute = 'account' | 'relay' | 'drop' | 'carbon-of-carrier' | 'carrier-presence' | 'overlap' | 'nudge';

/** A stanza of the server. `isAbsent`: the stream is held for its rooms, its client has gone. */
export function routeDown(stanza: Stanza, view: RouteView, isAbsent: boolean): DownRoute {
  const { account, session, carrier } = view.seat;
  if (carrier.rooms.size > 0 && stanza.fromAt >= 0 && stanza.ns === NS.client) {
    const key = bareKey(stanza.from ?? '');
    if (key !== undefined && carrier.rooms.has(key)) return 'account';
  }
  // One-to-one traffic without a client: the account sees to it that nothing is lost in silence.
  if (isAbsent) return stanza.ns === NS.client ? 'account' : 'drop';
  if (isNudge(stanza, account)) return 'nudge';
  if (view.idPrefixes.length > 0 && isOfThePast(stanza, view)) return 'overlap';
  if (session.rooms.size > 0 && stanza.name === 'message') {
    if (isCarbonOfJoined(stanza, account.bare, session.rooms, account.carriers.values())) return 'carbon-of-carrier';
  }
  if (session.rooms.size > 0 && isOfJoined(stanza, session.rooms)) return 'overlap';
  if (isLateAnswer(stanza, account)) return 'account';
  return stanza.name === 'presence' && isOfAccountStream(stanza, account) ? 'carrier-presence' : 'relay';
}

/** A nudge, or the answer to something of the proxy's own, under an id that the account's home may not know. */
function isOfThePast(stanza: Stanza, { idPrefixes, seat }: RouteView): boolean {
  if (stanza.name === 'iq') return idPrefixes.some((prefix) => stanza.id?.startsWith(prefix) === true);
  const { bare } = seat.account;
  return idPrefixes.some((idPrefix) => isNudge(stanza, { idPrefix, bare, nextId: 1 }));
}

/** What only an occupant is told, on a stream that is none any more, of a room that the session hears by way of the account. */
function isOfJoined(stanza: Stanza, rooms: ReadonlySet<BareKey>): boolean {
  const { name, type } = stanza;
  const isOccupants = name === 'presence' ? type === undefined || type === 'unavailable' : type === 'groupchat';
  const key = isOccupants ? bareKey(stanza.from ?? '') : undefined;
  return key !== undefined && rooms.has(key);
}

/** The answer to something that went out on this stream for the account, from a room that it is not in any more. */
function isLateAnswer(stanza: Stanza, { idPrefix, nextId, requests }: AccountView): boolean {
  if (stanza.name !== 'message') return nextId > 0 && stanza.id?.startsWith(idPrefix) === true;
  if (requests.size === 0) return false;
  const result = stanza.root.child('result', NS.mam) ?? stanza.root.child('result', NS.mam1);
  return requests.has(result?.attr('queryid') ?? '');
}

/** A server that needs presence from an account stream (jabberd2) shows it to the account's own sessions. */
function isOfAccountStream(stanza: Stanza, { accountStream, bare }: AccountView): boolean {
  return accountStream !== 'off' && stanza.from?.startsWith(`${bare}/${ACCOUNT_RESOURCE}`) === true;
}
