import type { ErrorType, StanzaCondition, StreamCondition } from './names.ts';
import type { Stanza } from './stanza.ts';

export { escapeXml as escape } from './text.ts';

export interface StanzaErrorOptions {
  type: ErrorType;
  condition: StanzaCondition;
  text?: string | undefined;
  from?: string | undefined;
  extra?: string | undefined;
  echo?: string | undefined;
}

export function stanzaError(_stanza: Stanza, _error: StanzaErrorOptions): string {
  throw new Error('not yet');
}

export function streamError(_condition: StreamCondition, _text?: string, _extra?: string): string {
  throw new Error('not yet');
}
