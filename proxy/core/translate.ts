/**
 * Ids that the proxy has given messages (`archive: on`) mean nothing in the room, where such a message is known by its sender's id alone. What
 * a session says of one by that id is told the room by the other, and what the room says of it the other way round.
 */
import { Edit } from '../xml/edit.ts';
import type { Node } from '../xml/spans.ts';
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { entryMarks, type LogEntry } from './log-entry.ts';
import { OWN_ARCHIVE } from './message-key.ts';
import { isAnyReference, isReference } from './references.ts';
import { RETRACTING } from './retraction.ts';
import type { StanzaLog } from './stanza-log.ts';
import type { Occupancy } from './state.ts';

/** A message refers to few others: each costs a look through the log. */
const MOST_REFERENCES = 8;

/** What a session says, as the room and its occupants understand it. */
export function forRoom({ log }: Occupancy, stanza: Stanza): Stanza {
  const edit = new Edit(stanza);
  let isChanged = false;
  for (const child of stanza.root.children.filter(isAnyReference).slice(0, MOST_REFERENCES)) {
    const id = child.attr('id');
    if (!id?.startsWith(OWN_ARCHIVE)) continue;
    const meant = log.findLast((entry) => entryMarks(entry).id === id);
    const own = meant && entryMarks(meant).own;
    if (own === undefined) continue;
    edit.setAttr(child, 'id', own);
    isChanged = true;
  }
  return isChanged ? parseStanza(edit.toBuffer(), stanza.declarations) : stanza;
}

/**
 * Puts the ids by which sessions know messages into what the room says. Two occupants may have written the same id: meant is the last one, of
 * the occupant who is named, or who takes it back, if there is such a one.
 */
export function refer(log: StanzaLog, stanza: Stanza, edit: Edit): boolean {
  let isChanged = false;
  for (const child of stanza.root.children.filter(isReference).slice(0, MOST_REFERENCES)) {
    const id = child.attr('id');
    if (id === undefined || id === '') continue;
    const from = child.name === 'reply' ? child.attr('to') : takesBack(child) ? stanza.from : undefined;
    const isNamed = (entry: LogEntry): boolean => {
      const marks = entryMarks(entry);
      return marks.own === id && marks.id?.startsWith(OWN_ARCHIVE) === true;
    };
    const meant = log.findLast((entry) => isNamed(entry) && entryMarks(entry).from === from) ?? log.findLast(isNamed);
    const given = meant && entryMarks(meant).id;
    if (given === undefined) continue;
    edit.setAttr(child, 'id', given);
    isChanged = true;
  }
  return isChanged;
}

/** Nobody takes back what others have said. */
function takesBack({ ns }: Node): boolean {
  return RETRACTING.includes(ns);
}

/** Whether the message refers to any other. */
export function refers({ root }: Stanza): boolean {
  return root.children.some(isReference);
}
