/** What of a lost home's business is left to the next one: it waits for that, or is refused. */
import { emptied } from '../../xml/stanza.ts';
import type { Part } from './part.ts';
import type { Asked } from './unanswered.ts';
import type { Visit } from './visit.ts';

/** `visit` is over: what the home had taken and no room has answered, what it had not taken, and what it may have taken. */
export function keepLeftovers(part: Part, visit: Visit): void {
  const { mirror, waiting } = part;
  const untaken = visit.untaken();
  const names = new Set(untaken.flatMap((one) => (one.kind === 'session-stanza' ? [nameOf(one)] : [])));
  // The home had taken these, and the room has not answered; or it has, and the home has said what was behind the join.
  for (const one of mirror.unanswered.joins()) {
    if (!names.has(nameOf(one))) waiting.add({ kind: 'session-stanza', ...one, isUnsure: true });
  }
  for (const one of mirror.unanswered.takeRequests()) {
    if (!names.has(nameOf(one))) part.refuse({ kind: 'session-stanza', ...one });
  }
  for (const one of untaken) {
    if (one.kind !== 'session-stanza') waiting.add(one);
    else {
      mirror.forgetSaid(one.session, one.stanza.to, one.stanza.id);
      waiting.add({ ...one, isUnsure: true });
    }
  }
}

/** By what a stanza is known again: the whole text, or the opening tag of a request, of which no more is kept. */
function nameOf({ session, stanza }: Asked): string {
  return `${session} ${stanza.name === 'iq' ? emptied(stanza) : stanza}`;
}
