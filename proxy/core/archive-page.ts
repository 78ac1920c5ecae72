/**
 * Which messages of an archive answer a query, and in which pages (XEP-0313 section 4, XEP-0059): filters first, then one page. Pure; what a
 * message is does not matter here.
 */
import { bareKey, nickKey, resourceOf } from '../xml/address.ts';

/** One message of an archive. */
export interface Archived {
  readonly id: string;
  /** Who has said it, as the room writes it. */
  readonly from: string;
  /** Epoch ms. */
  readonly at: number;
  readonly bytes: number;
}

/** Absent fields are no limits. */
export interface ArchiveQuery {
  /** An occupant, or the room: then everybody. */
  readonly with?: string | undefined;
  /** Epoch ms, both inclusive. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Both exclusive. */
  readonly afterId?: string | undefined;
  readonly beforeId?: string | undefined;
  /** These and no others. */
  readonly ids?: readonly string[] | undefined;
  /** Of one page. */
  readonly max: number;
  /** The page behind that message. */
  readonly after?: string | undefined;
  /** The page before that message; '': the last one. */
  readonly before?: string | undefined;
  /** The page that begins with the message of that number, from 0, of those that pass the filters. */
  readonly index?: number | undefined;
  /** The newest of the page comes first. */
  readonly isFlipped?: boolean;
}

export interface Page<T extends Archived> {
  /** Oldest first. */
  readonly items: readonly T[];
  /** Number of the first of them among those that pass the filters. */
  readonly index: number;
  /** Of those that pass the filters. */
  readonly count: number;
  /** Nothing is left to be paged to in this direction. */
  readonly isComplete: boolean;
}

/**
 * `archive`: oldest first, no id twice. A page has no more than `mostBytes`, or one message. `item-not-found`: a message that the query names
 * is not in the archive, or not any more.
 */
export function pageOf<T extends Archived>(
  archive: readonly T[],
  query: ArchiveQuery,
  mostBytes: number,
): Page<T> | 'item-not-found' {
  const places = new Map(archive.map(({ id }, place) => [id, place]));
  const { ids, afterId, beforeId, after, before, index } = query;
  const isNamed = (id: string | undefined): boolean => id === undefined || places.has(id);
  const named = [afterId, beforeId, after, before === '' ? undefined : before, ...(ids ?? [])];
  if (!named.every(isNamed)) return 'item-not-found';
  const placeOf = (id: string | undefined, otherwise: number): number =>
    id === undefined || id === '' ? otherwise : (places.get(id) ?? otherwise);

  const wanted = ids && new Set(ids);
  const [from, to] = [placeOf(afterId, -1), placeOf(beforeId, archive.length)];
  const passing = [...archive.entries()].filter(([place, one]) => {
    return place > from && place < to && (!wanted || wanted.has(one.id)) && isWithin(one, query);
  });
  const [behind, ahead] = [placeOf(after, -1), placeOf(before, archive.length)];
  const left = passing.filter(([place], number) => place > behind && place < ahead && number >= (index ?? 0));
  const items = take(
    left.map(([, one]) => one),
    query.max,
    mostBytes,
    before !== undefined,
  );
  const [first] = items;
  return {
    items,
    index: first === undefined ? 0 : passing.findIndex(([, one]) => one === first),
    count: passing.length,
    isComplete: items.length === left.length,
  };
}

/** The first ones, or the last ones. */
function take<T extends Archived>(all: readonly T[], max: number, mostBytes: number, isLast: boolean): readonly T[] {
  const ordered = isLast ? [...all].reverse() : all;
  const taken: T[] = [];
  let bytes = 0;
  for (const one of ordered) {
    bytes += one.bytes;
    if (taken.length >= max || (taken.length > 0 && bytes > mostBytes)) break;
    taken.push(one);
  }
  return isLast ? taken.reverse() : taken;
}

function isWithin({ from, at }: Archived, { with: who, start, end }: ArchiveQuery): boolean {
  if ((start !== undefined && at < start) || (end !== undefined && at > end)) return false;
  if (who === undefined) return true;
  if (bareKey(who) !== bareKey(from)) return false;
  const nick = resourceOf(who);
  return nick === '' || nickKey(nick) === nickKey(resourceOf(from));
}
