/** What the account shows to a room in which it is, or has been, when it joins on another stream or once more. */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { languageIn } from '../language.ts';
import { LATE_MS } from '../stanza-log.ts';
import type { Move, Occupancy } from '../state.ts';
import { presenceContent } from './shown.ts';

/** How far the room's clock may be behind, so that none is missed (ms). */
const SKEW_MS = 1000;

/** What such a join shows. */
export interface Guise {
  readonly nick: string;
  /** The content of its presence. */
  readonly content: string;
  /** As an attribute. */
  readonly language: string;
}

/** The account as the room knows it. */
export function knownGuise({ nick, self, shown }: Occupancy): Guise {
  const content = self ? presenceContent(self) : (shown?.content ?? '');
  return { nick, content, language: self ? languageIn(self) : '' };
}

/** As the room has just been told by that presence. */
export function guiseOf(nick: string, presence: Stanza): Guise {
  return { nick, content: presenceContent(presence), language: languageIn(presence) };
}

/**
 * The account's presence, asking for what was said since something was last heard: a stream that is still there may turn out to have been
 * lost before.
 */
export function joinAgain(room: Occupancy, move: Move, { nick, content, language }: Guise): string {
  const password = room.password === undefined ? '' : `<password>${escapeXml(room.password)}</password>`;
  const since = new Date(Math.max((room.log.lastAt ?? 0) - LATE_MS, room.joinedAt - SKEW_MS, 0)).toISOString();
  const history = `<history since='${since}'/>`;
  const to = escapeXml(`${room.name}/${nick}`);
  return `<presence id='${move.joinId}' to='${to}'${language}>${content}<x xmlns='${NS.muc}'>${password}${history}</x></presence>`;
}
