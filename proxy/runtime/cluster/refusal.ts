/** The answer to a room stanza that could not be taken to the account's home. */
import { stanzaError } from '../../xml/build.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';

/** Always type `wait`: the trouble is ours and will pass (J7). Undefined: nothing that wants an answer. */
export function refusal(stanza: Stanza, isJoin: boolean): string | undefined {
  const { name, type } = stanza;
  if (type === 'error' || type === 'result' || (name === 'presence' && !isJoin)) return undefined;
  return stanzaError(stanza, {
    type: 'wait',
    condition: 'service-unavailable',
    text: 'The room cannot be reached at the moment.',
    echo: isJoin ? `<x xmlns='${NS.muc}'/>` : undefined,
  });
}
