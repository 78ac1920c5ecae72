/** What a lost stream owes to the server, as the rules are told (core/rules/stranded.ts): the messages among its last texts. */
import type { Owed } from '../core/inputs.ts';
import { USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { type Declarations, parseStanza, type Stanza } from '../xml/stanza.ts';

/** `declared`: what the texts stand under. `unacknowledged` is undefined where the server acknowledges nothing. */
export function owedMessages(
  texts: { readonly unsent: readonly Buffer[]; readonly unacknowledged: readonly Buffer[] | undefined },
  declared: Declarations | 'websocket',
): Owed {
  const declarations = declared === 'websocket' ? USUAL_DECLARATIONS : declared;
  const read = (list: readonly Buffer[]): Stanza[] =>
    list.filter(isMessage).map((text) => parseStanza(text, declarations));
  return { unsent: read(texts.unsent), unacknowledged: texts.unacknowledged && read(texts.unacknowledged) };
}

const MESSAGE = Buffer.from('<message');

function isMessage(text: Buffer): boolean {
  return text.subarray(0, MESSAGE.length).equals(MESSAGE);
}
