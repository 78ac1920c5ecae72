/** What a negotiation remembers, and the small steps that all its parts share. */
import type { Violation } from '../../xml/framer.ts';
import type { StreamCondition } from '../../xml/names.ts';
import type { StreamHeader } from '../../xml/stanza.ts';
import { NO_FEATURES, type OfferRules, type ServerFeatures } from '../features.ts';
import type { Credentials, SaslCondition, SaslRelay } from '../sasl-relay.ts';
import type { Effect, HeaderAttributes, NegotiationRules, ResumeRequest } from './io.ts';

/** Where a negotiation stands. In all but `start`, `tls-only`, `open`, `restart` and `authenticated` the client is held. */
export type Phase =
  /** The client's header is awaited. */
  | 'start'
  /** Nothing but STARTTLS is open to the client; there is no upstream yet. */
  | 'tls-only'
  /** TLS handshake with the client. */
  | 'handshake'
  /** The upstream is being opened; then the server's header is awaited, then its features. */
  | 'dial'
  | 'greeting'
  | 'features'
  /** Before authentication: the client's move. */
  | 'open'
  /** The server's answer to a SASL element is awaited. */
  | 'exchange'
  /** We have refused a response; the server's answer to our `<abort/>` is awaited. */
  | 'abort'
  /** The server's answer to a legacy login is awaited. */
  | 'login'
  /** Authenticated: the client's new header is awaited, then the server's, then its features. */
  | 'restart'
  | 'regreeting'
  | 'refeatures'
  /** Authenticated, not bound: the client's move. */
  | 'authenticated'
  /** The server's answer to a bind request is awaited. */
  | 'binding'
  /** Whether the session to be resumed is known elsewhere is being found out. */
  | 'recalling'
  /** The server's answer to a resumption is awaited. */
  | 'resuming'
  /** A resource is bound to learn whose stream it is. */
  | 'proving'
  /** Whether the session at another node that the client has proved to be its own goes on over its leg is being found out. */
  | 'lending'
  /** The end, either way. Nothing has any effect now. */
  | 'bound'
  | 'over';

export interface State {
  readonly rules: NegotiationRules;
  phase: Phase;
  encrypted: boolean;
  /** The client's present stream has a header from us. */
  greeted: boolean;
  /** Normalised domain that the client asked for; '' before it has. */
  host: string;
  clientHeader: StreamHeader | undefined;
  serverHeader: StreamHeader | undefined;
  /** What the server offered after authentication. */
  features: ServerFeatures;
  /** An upstream was asked for and has not been given up. */
  hasUpstream: boolean;
  sasl: SaslRelay | undefined;
  /** The server has sent a challenge that the client has not answered. */
  challenged: boolean;
  /** In phase `abort`: what the client will be told. */
  refusal: SaslCondition;
  failures: number;
  /** The bind or login request under way. */
  request: PendingRequest | undefined;
  /** The resumption under way. */
  resuming: ResumeRequest | undefined;
  /** Bare JID whose session that is, where another node keeps it. */
  ownerElsewhere: string | undefined;
  /** Full JID that was bound for a proof which came to nothing: it is what the client gets if it binds. */
  spare: string | undefined;
}

export interface PendingRequest {
  readonly id: string;
  /** The resource that the client has asked for; undefined when it leaves it to the server. */
  readonly asked: string | undefined;
  /** Of a legacy login. */
  readonly jid?: string;
  readonly credentials?: Credentials | undefined;
}

export function newState(rules: NegotiationRules): State {
  return {
    rules,
    phase: 'start',
    encrypted: rules.encrypted,
    greeted: false,
    host: '',
    clientHeader: undefined,
    serverHeader: undefined,
    features: NO_FEATURES,
    hasUpstream: false,
    sasl: undefined,
    challenged: false,
    refusal: 'malformed-request',
    failures: 0,
    request: undefined,
    resuming: undefined,
    ownerElsewhere: undefined,
    spare: undefined,
  };
}

export function mayStartTls(state: State): boolean {
  return state.rules.startTls && !state.encrypted;
}

export function allowsClearText(state: State): boolean {
  return state.encrypted || state.rules.trusted;
}

export function offerRules(state: State): Omit<OfferRules, 'startTls'> {
  const { plainOnly, streamManagement } = state.rules;
  return { allowClearText: allowsClearText(state), plainOnly, streamManagement };
}

/** Where one side is older than XMPP 1.0 no features come (RFC 6120 section 4.7.5); Prosody sends some all the same. */
export function expectsFeatures(state: State): boolean {
  return isVersioned(state.clientHeader) && isVersioned(state.serverHeader);
}

function isVersioned(header: StreamHeader | undefined): boolean {
  return Number.parseInt(header?.attributes.get('version') ?? '0', 10) >= 1;
}

export function chooseResource(state: State, userHint: string | undefined, asked: string | undefined) {
  const { resourceFor } = state.rules;
  return resourceFor === undefined ? asked : resourceFor({ userHint, domain: state.host, asked });
}

/** The client's header as the server gets it. */
export function attributesForServer(state: State): HeaderAttributes {
  const attributes = state.clientHeader?.attributes;
  return {
    to: attributes?.get('to') ?? state.host,
    from: attributes?.get('from'),
    version: attributes?.get('version'),
    'xml:lang': attributes?.get('xml:lang'),
  };
}

/** The server's header for the client, id and all: a legacy digest is made of the id. */
export function passHeader(state: State, header: StreamHeader): Effect[] {
  state.serverHeader = header;
  state.greeted = true;
  return [{ do: 'header', to: 'client', attributes: Object.fromEntries(header.attributes), header }];
}

/** A header of our own, where there is none of the server's to pass on. */
export function greetOurselves(state: State): Effect[] {
  state.greeted = true;
  const asked = state.clientHeader;
  const from = state.host || asked?.attributes.get('to');
  const version = asked !== undefined && !isVersioned(asked) ? undefined : '1.0';
  const attributes = { from, id: state.rules.newStreamId(), version, 'xml:lang': 'en' };
  return [{ do: 'header', to: 'client', attributes }];
}

export function greetIfNeeded(state: State): Effect[] {
  return state.greeted ? [] : greetOurselves(state);
}

/** On to a phase in which it is the client's move. */
export function letGo(state: State, phase: Phase): Effect[] {
  state.phase = phase;
  return [{ do: 'release', on: 'client' }];
}

/**
 * Ends the upstream, if there is one. Where a resumption has been asked for the server may have granted it already: the end of
 * the stream would be that of the session (XEP-0198 section 7).
 */
export function hangUp(state: State): Effect[] {
  const way = state.phase === 'resuming' ? 'drop' : 'end';
  const effects: Effect[] = state.hasUpstream ? [{ do: way, to: 'server' }] : [];
  state.hasUpstream = false;
  return effects;
}

/** Last step of all: nothing of the exchange, a password above all, stays referenced. */
export function forget(state: State, phase: 'bound' | 'over'): void {
  state.phase = phase;
  state.sasl?.forget();
  state.sasl = undefined;
  state.request = undefined;
}

/** Ends both streams, the client's with this error. */
export function fail(state: State, violation: Violation, reason: string): Effect[] {
  const effects: Effect[] = [
    ...greetIfNeeded(state),
    { do: 'error', to: 'client', violation },
    ...hangUp(state),
    { do: 'over', reason },
  ];
  forget(state, 'over');
  return effects;
}

export function failWith(state: State, condition: StreamCondition, text: string): Effect[] {
  return fail(state, { condition, text }, text);
}
