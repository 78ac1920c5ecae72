/** Which messages are kept for whoever comes next. */
import { NS } from '../xml/names.ts';
import type { Stanza } from '../xml/stanza.ts';

/** A message that somebody has written to the account, or an invitation. */
export function isLetter({ type, root }: Stanza): boolean {
  if (type !== undefined && type !== 'chat' && type !== 'normal') return false;
  if (root.children.some(({ ns }) => ns === NS.carbons || ns === NS.mam || ns === NS.mam1)) return false;
  const isInvitation = root.child('x', NS.mucUser)?.child('invite') ?? root.child('x', NS.directInvite);
  return root.child('body') !== undefined || isInvitation !== undefined;
}

/** What servers keep no message for that has nothing else. */
const PASSING: ReadonlySet<string> = new Set([NS.chatStates, NS.hints, NS.stanzaId, NS.delay]);

/**
 * A message that a server would keep for an account that is not there (XEP-0160 section 3): a letter, or what else was sent from one to the
 * other, such as a receipt. Not chat states, events and copies, nor what its sender wants nobody to keep (XEP-0334).
 */
export function isWorthKeeping({ type, root }: Stanza): boolean {
  if (type !== undefined && type !== 'chat' && type !== 'normal') return false;
  if (root.child('no-store', NS.hints) ?? root.child('no-permanent-store', NS.hints)) return false;
  if (root.children.some(({ ns }) => ns === NS.carbons || ns === NS.mam || ns === NS.mam1)) return false;
  return root.children.some(({ name, ns }) => !PASSING.has(ns) && name !== 'thread');
}
