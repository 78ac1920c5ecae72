/** The few texts that the proxy originates. All of them stand under a header that declares `jabber:client` and `stream:`. */
import { type ErrorType, NS, type StanzaCondition, type StreamCondition } from './names.ts';
import type { Stanza } from './stanza.ts';
import { escapeXml } from './text.ts';

export interface StanzaErrorOptions {
  readonly type: ErrorType;
  readonly condition: StanzaCondition;
  /** For humans, in English. */
  readonly text?: string | undefined;
  /** Whom the error is for; by default what the stanza says of its sender, which clients leave out. */
  readonly to?: string | undefined;
  /** In whose name the error is sent; by default the address that the stanza was sent to. */
  readonly from?: string | undefined;
  /** Application-specific condition inside `<error/>`, as XML. */
  readonly extra?: string | undefined;
  /** Child of the refused stanza to be repeated before `<error/>`, as XML. */
  readonly echo?: string | undefined;
}

/** The error reply to a stanza (RFC 6120 section 8.3): to its sender, with its name and id. */
export function stanzaError(stanza: Stanza, error: StanzaErrorOptions): string {
  const addresses =
    attribute('from', error.from ?? stanza.to) + attribute('to', error.to ?? stanza.from) + attribute('id', stanza.id);
  const condition = `<${error.condition} xmlns='${NS.stanzaErrors}'/>`;
  const text = textElement(NS.stanzaErrors, error.text);
  return (
    `<${stanza.name}${addresses} type='error'>${error.echo ?? ''}` +
    `<error type='${error.type}'>${condition}${text}${error.extra ?? ''}</error></${stanza.name}>`
  );
}

/** A stream error (RFC 6120 section 4.9), with prefix `stream`, which the stream header declares. `extra` is XML. */
export function streamError(condition: StreamCondition, text?: string, extra?: string): string {
  const parts = `<${condition} xmlns='${NS.streamErrors}'/>${textElement(NS.streamErrors, text)}${extra ?? ''}`;
  return `<stream:error>${parts}</stream:error>`;
}

function textElement(namespace: string, text: string | undefined): string {
  return text === undefined ? '' : `<text xmlns='${namespace}' xml:lang='en'>${escapeXml(text)}</text>`;
}

function attribute(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}='${escapeXml(value)}'`;
}

/** Attributes in the form ` name='value'`; those without a value are left out. */
export function attributesText(attributes: Readonly<Record<string, string | undefined>>): string {
  let text = '';
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) text += ` ${name}='${escapeXml(value)}'`;
  }
  return text;
}
