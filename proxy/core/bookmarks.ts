/**
 * Bookmarks of rooms as they are on the wire: the items of XEP-0402, and the list of XEP-0048 in private storage (XEP-0049).
 * What is malformed or too much is passed over: a list comes from the user's devices.
 */
import { type BareKey, bareKey, bareOf, nickKey, resourceOf, splitJid } from '../xml/address.ts';
import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import type { Stanza } from '../xml/stanza.ts';

/** Rooms of one list; further ones are passed over. */
export const MOST_BOOKMARKS = 1000;
/** Longest password that is taken (characters). */
const MOST_PASSWORD = 1023;

export interface Bookmark {
  /** Bare address of the room, as written. */
  readonly name: string;
  readonly nick: string | undefined;
  readonly password: string | undefined;
  readonly autojoin: boolean;
}

export type Bookmarks = ReadonlyMap<BareKey, Bookmark>;

/** Where a list is kept. */
export type BookmarkSource = 'pep' | 'private';

/** What goes into an IQ `get` to the own account. */
export const BOOKMARK_QUERIES: Readonly<Record<BookmarkSource, string>> = {
  pep: `<pubsub xmlns='${NS.pubsub}'><items node='${NS.bookmarks}'/></pubsub>`,
  private: `<query xmlns='${NS.privateStorage}'><storage xmlns='${NS.storedBookmarks}'/></query>`,
};

/** The list that the result of such an IQ holds; undefined: it holds none. */
export function readBookmarks(source: BookmarkSource, result: Stanza): Bookmarks | undefined {
  return source === 'pep' ? readItems(result) : readStorage(result);
}

/** XEP-0402 section 3.2. */
function readItems(result: Stanza): Bookmarks | undefined {
  const items = result.root.child('pubsub', NS.pubsub)?.child('items');
  if (!items || items.attr('node') !== NS.bookmarks) return undefined;
  const list = new Map<BareKey, Bookmark>();
  for (const item of items.children) {
    const conference = item.name === 'item' ? item.child('conference', NS.bookmarks) : undefined;
    if (conference) note(list, item.attr('id'), conference);
  }
  return list;
}

/** XEP-0048 section 3. */
function readStorage(result: Stanza): Bookmarks | undefined {
  const storage = result.root.child('query', NS.privateStorage)?.child('storage', NS.storedBookmarks);
  if (!storage) return undefined;
  const list = new Map<BareKey, Bookmark>();
  for (const conference of storage.children) {
    if (conference.name === 'conference') note(list, conference.attr('jid'), conference);
  }
  return list;
}

function note(list: Map<BareKey, Bookmark>, jid = '', conference: Node): void {
  const key = bareKey(jid);
  if (key === undefined || splitJid(key).local === '' || resourceOf(jid) !== '') return;
  if (list.size >= MOST_BOOKMARKS && !list.has(key)) return;
  const nick = conference.child('nick')?.text().trim();
  const password = conference.child('password')?.text();
  list.set(key, {
    name: bareOf(jid),
    nick: nick !== undefined && nickKey(nick) !== undefined ? nick : undefined,
    password: password !== undefined && password.length <= MOST_PASSWORD ? password : undefined,
    autojoin: isTrue(conference.attr('autojoin')),
  });
}

/** A boolean of XML Schema. */
function isTrue(value: string | undefined): boolean {
  return value === 'true' || value === '1';
}

/** Whether a client's IQ `set` to its own account may change the list. */
export function changesBookmarks({ root }: Stanza): boolean {
  const [child] = root.children;
  if (child?.ns === NS.pubsub || child?.ns === NS.pubsubOwner) {
    return child.children.some((action) => isNode(action.attr('node')));
  }
  return child?.ns === NS.privateStorage && child.child('storage', NS.storedBookmarks) !== undefined;
}

/** Whether a message tells of a change of the list (XEP-0163). Its sender is not looked at. */
export function isBookmarkEvent(message: Stanza): boolean {
  // Cheaper than the tree, which most messages need not have.
  if (!message.bytes.includes('bookmarks')) return false;
  const event = message.root.child('event', NS.pubsubEvent);
  return event?.children.some((action) => isNode(action.attr('node'))) === true;
}

function isNode(node: string | undefined): boolean {
  return node === NS.bookmarks || node === NS.storedBookmarks;
}
