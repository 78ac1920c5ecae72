/** The first stream of a client, up to the features: which domain, TLS first or not, the server's header passed on. */
import { bareKey } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza, StreamHeader } from '../../xml/stanza.ts';
import { isFeatures, offer, readFeatures } from '../features.ts';
import { legacyQuery } from '../legacy-auth.ts';
import { SaslRelay } from '../sasl-relay.ts';
import { refuseSasl } from './authentication.ts';
import type { Effect } from './io.ts';
import { refuseLogin } from './login.ts';
import {
  allowsClearText,
  attributesForServer,
  expectsFeatures,
  failWith,
  forget,
  greetOurselves,
  hangUp,
  letGo,
  mayStartTls,
  offerRules,
  passHeader,
  type State,
} from './state.ts';

export function clientOpens(state: State, header: StreamHeader): Effect[] {
  const { hosts } = state.rules;
  state.clientHeader = header;
  const to = header.attributes.get('to');
  const host = to === undefined ? theOnly(hosts) : bareKey(to);
  if (to === undefined && host === undefined)
    return failWith(state, 'improper-addressing', 'The stream header has no "to"');
  if (host === undefined || !hosts.has(host)) return failWith(state, 'host-unknown', 'This domain is not served here');
  state.host = host;
  if (mayStartTls(state) && !allowsClearText(state)) {
    state.phase = 'tls-only';
    const xml = `<stream:features><starttls xmlns='${NS.tls}'><required/></starttls></stream:features>`;
    return [...greetOurselves(state), { do: 'send', to: 'client', xml }];
  }
  state.hasUpstream = true;
  state.phase = 'dial';
  return [
    { do: 'hold', on: 'client' },
    { do: 'dial', host, attributes: attributesForServer(state), header },
  ];
}

/** Phase `tls-only`: whoever tries something else is told why it is refused. */
export function beforeTls(state: State, stanza: Stanza): Effect[] {
  if (stanza.ns === NS.tls && stanza.name === 'starttls') return startTls(state);
  if (stanza.ns === NS.sasl) return refuseSasl(state, 'encryption-required');
  if (legacyQuery(stanza) !== undefined) return refuseLogin(stanza, 'encryption required');
  return failWith(state, 'policy-violation', 'This stream needs STARTTLS first');
}

/** An upstream is given up: after TLS the client begins anew, with another header and other features. */
export function startTls(state: State): Effect[] {
  state.phase = 'handshake';
  return [
    { do: 'hold', on: 'client' },
    ...hangUp(state),
    { do: 'send', to: 'client', xml: `<proceed xmlns='${NS.tls}'/>` },
    { do: 'start-tls' },
  ];
}

/** STARTTLS where there is none to be had ends the stream (RFC 6120 section 5.4.2.2). */
export function refuseTls(state: State): Effect[] {
  const effects: Effect[] = [
    { do: 'refused', reason: 'starttls' },
    { do: 'send', to: 'client', xml: `<failure xmlns='${NS.tls}'/>` },
    { do: 'end', to: 'client' },
    ...hangUp(state),
    { do: 'over', reason: 'STARTTLS refused' },
  ];
  forget(state, 'over');
  return effects;
}

export function secured(state: State): Effect[] {
  state.encrypted = true;
  state.greeted = false;
  state.clientHeader = undefined;
  state.sasl?.forget();
  state.sasl = undefined;
  state.challenged = false;
  state.phase = 'start';
  return [];
}

export function serverOpens(state: State, header: StreamHeader): Effect[] {
  const greeting = passHeader(state, header);
  state.sasl = newRelay(state, new Set());
  if (!expectsFeatures(state)) return [...greeting, ...letGo(state, 'open')];
  state.phase = 'features';
  return greeting;
}

/** Phase `features`. */
export function firstFeatures(state: State, stanza: Stanza): Effect[] {
  if (!isFeatures(stanza)) return [{ do: 'forward', to: 'client', stanza }];
  const { startTls, mechanisms } = readFeatures(stanza);
  if (startTls === 'required' && mechanisms.length === 0) {
    return failWith(state, 'remote-connection-failed', 'The server wants TLS on the connection from the proxy');
  }
  return [...offerFeatures(state, stanza), ...letGo(state, 'open')];
}

/** Features before authentication, as this client may use them. */
export function offerFeatures(state: State, stanza: Stanza): Effect[] {
  const shown = offer(stanza, { ...offerRules(state), startTls: mayStartTls(state) });
  state.sasl = newRelay(state, shown.mechanisms);
  return [{ do: 'forward', to: 'client', stanza: shown.stanza }];
}

function newRelay(state: State, offered: ReadonlySet<string>): SaslRelay {
  return new SaslRelay({ domain: state.host, allowClearText: allowsClearText(state), offered });
}

function theOnly(hosts: ReadonlySet<string>): string | undefined {
  return hosts.size === 1 ? [...hosts][0] : undefined;
}
