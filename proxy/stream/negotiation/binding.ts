/** The stream after authentication, up to the server's bind result, which says who the session is (S7). */
import { bareKey } from '../../xml/address.ts';
import { stanzaError } from '../../xml/build.ts';
import { NS } from '../../xml/names.ts';
import { parseStanza, type Stanza, type StreamHeader } from '../../xml/stanza.ts';
import { escapeXml } from '../../xml/text.ts';
import { askedResource, bindRequest, boundJid, isBinding, withResource } from '../bind.ts';
import { isFeatures, lacksManagement, offer, readFeatures, withManagement } from '../features.ts';
import type { AuthenticatedStream, Effect } from './io.ts';
import {
  attributesForServer,
  chooseResource,
  expectsFeatures,
  failWith,
  forget,
  letGo,
  offerRules,
  type PendingRequest,
  passHeader,
  type State,
} from './state.ts';

export function clientReopens(state: State, header: StreamHeader): Effect[] {
  const to = header.attributes.get('to');
  state.clientHeader = header;
  if (to !== undefined && bareKey(to) !== state.host) {
    return failWith(state, 'policy-violation', 'The stream was authenticated for another domain');
  }
  state.phase = 'regreeting';
  return [
    { do: 'hold', on: 'client' },
    { do: 'header', to: 'server', attributes: attributesForServer(state), header },
  ];
}

export function serverReopens(state: State, header: StreamHeader): Effect[] {
  const greeting = passHeader(state, header);
  if (!expectsFeatures(state)) return [...greeting, ...letGo(state, 'authenticated')];
  state.phase = 'refeatures';
  return greeting;
}

/** Phase `refeatures`. */
export function lastFeatures(state: State, stanza: Stanza): Effect[] {
  if (!isFeatures(stanza)) return [{ do: 'forward', to: 'client', stanza }];
  state.features = readFeatures(stanza);
  const { stanza: shown } = offer(stanza, { ...offerRules(state), startTls: false });
  const isAdded = state.rules.streamManagement && lacksManagement(state.features);
  return [
    { do: 'forward', to: 'client', stanza: isAdded ? withManagement(shown) : shown },
    ...letGo(state, 'authenticated'),
  ];
}

/**
 * An IQ of phase `authenticated` that has to do with binding; undefined for all else. The client is held until the server
 * has answered: what it pipelines belongs to the session (and jabberd2 would end the stream for it).
 */
export function bindingRequest(state: State, stanza: Stanza): Effect[] | undefined {
  if (!isBinding(stanza)) return undefined;
  const bind = bindRequest(stanza);
  if (bind === undefined || !stanza.id) return refuseBind(stanza);
  const asked = askedResource(bind);
  state.request = { id: stanza.id, asked };
  if (state.spare !== undefined) return bindSpare(state, stanza.id, state.spare);
  const resource = chooseResource(state, state.sasl?.userHint, asked);
  state.phase = 'binding';
  return [
    { do: 'hold', on: 'client' },
    { do: 'forward', to: 'server', stanza: resource === asked ? stanza : withResource(stanza, bind, resource) },
  ];
}

/** Phase `binding`. */
export function bindAnswer(state: State, stanza: Stanza): Effect[] {
  const { request } = state;
  if (request === undefined || !answersRequest(stanza, request)) return [{ do: 'forward', to: 'client', stanza }];
  if (stanza.type === 'error') {
    state.request = undefined;
    return [{ do: 'forward', to: 'client', stanza }, ...letGo(state, 'authenticated')];
  }
  const jid = boundJid(stanza);
  if (jid === undefined) return failWith(state, 'remote-connection-failed', 'The server has not said what it bound');
  return becomeBound(state, stanza, jid, state.sasl?.mechanism ?? '');
}

/**
 * The server has bound a resource already, for a proof that came to nothing. Most servers bind no second one on a stream, and a
 * server may choose another resource than the one that was asked for (RFC 6120 section 7.7).
 */
function bindSpare(state: State, id: string, jid: string): Effect[] {
  const bound = `<bind xmlns='${NS.bind}'><jid>${escapeXml(jid)}</jid></bind>`;
  const result = parseStanza(`<iq xmlns='${NS.client}' type='result' id='${escapeXml(id)}'>${bound}</iq>`);
  const effects = becomeBound(state, result, jid, state.sasl?.mechanism ?? '');
  return [{ do: 'hold', on: 'client' }, ...effects];
}

/** The result goes to the client; with both legs held, all that follows is for the session's owner. */
export function becomeBound(state: State, result: Stanza, jid: string, mechanism: string): Effect[] {
  const asked = state.request?.asked;
  const stream = authenticatedStream(state, mechanism);
  forget(state, 'bound');
  return [
    { do: 'hold', on: 'server' },
    { do: 'forward', to: 'client', stanza: result },
    { do: 'bound', session: { jid, asked, ...stream } },
  ];
}

const NO_HEADER: StreamHeader = { attributes: new Map(), declarations: new Map() };

/** What is known of the stream at its end as a negotiation. */
export function authenticatedStream(state: State, mechanism: string): AuthenticatedStream {
  const { host, features, clientHeader = NO_HEADER, serverHeader = NO_HEADER, request, sasl } = state;
  const credentials = sasl?.credentials ?? request?.credentials;
  return { host, mechanism, credentials, features, clientHeader, serverHeader };
}

export function answersRequest(stanza: Stanza, request: PendingRequest): boolean {
  return stanza.name === 'iq' && stanza.id === request.id && (stanza.type === 'result' || stanza.type === 'error');
}

function refuseBind(stanza: Stanza): Effect[] {
  return [
    { do: 'refused', reason: 'bind-request' },
    { do: 'send', to: 'client', xml: stanzaError(stanza, { type: 'modify', condition: 'bad-request' }) },
  ];
}
