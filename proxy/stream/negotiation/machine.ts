/**
 * The conversation with a client and with its server up to the bound session, as one state machine: an input goes in, the
 * effects to carry out come back. Sockets, TLS and time are the caller's.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza, StreamHeader } from '../../xml/stanza.ts';
import { guard } from '../client-guard.ts';
import { isFeatures } from '../features.ts';
import { legacyQuery, withoutDigest } from '../legacy-auth.ts';
import { isStreamError } from '../stream-error.ts';
import { abortAnswer, refuseSecondSasl, saslAnswer, saslRequest } from './authentication.ts';
import { bindAnswer, bindingRequest, clientReopens, lastFeatures, serverReopens } from './binding.ts';
import { clientGone, crossError, crossViolation, serverGone } from './closing.ts';
import type { Effect, Input, NegotiationRules, Side } from './io.ts';
import { loginAnswer, loginRequest, refuseLogin } from './login.ts';
import {
  beforeTls,
  clientOpens,
  firstFeatures,
  offerFeatures,
  refuseTls,
  secured,
  serverOpens,
  startTls,
} from './opening.ts';
import { lent, ownAnswer, recalled, resumeAnswer, resumeRequest } from './resumption.ts';
import { fail, failWith, mayStartTls, newState, type Phase, type State } from './state.ts';

interface Moves {
  header?: { readonly [side in Side]?: (state: State, header: StreamHeader) => Effect[] };
  stanza?: { readonly [side in Side]?: (state: State, stanza: Stanza) => Effect[] };
}

/** Who may do what when. A pair that is missing ends the negotiation: the peer speaks out of turn. */
const table: Readonly<Record<Phase, Moves>> = {
  start: { header: { client: clientOpens } },
  'tls-only': { stanza: { client: beforeTls } },
  handshake: {},
  dial: {},
  greeting: { header: { server: serverOpens } },
  features: { stanza: { server: firstFeatures } },
  open: { stanza: { client: beforeAuth, server: fromServer } },
  exchange: { stanza: { server: saslAnswer } },
  abort: { stanza: { server: abortAnswer } },
  login: { stanza: { server: loginAnswer } },
  restart: { header: { client: clientReopens } },
  regreeting: { header: { server: serverReopens } },
  refeatures: { stanza: { server: lastFeatures } },
  authenticated: { stanza: { client: afterAuth, server: fromServer } },
  binding: { stanza: { server: bindAnswer } },
  recalling: { stanza: { server: fromServer } },
  resuming: { stanza: { server: resumeAnswer } },
  proving: { stanza: { server: ownAnswer } },
  lending: { stanza: { server: fromServer } },
  bound: {},
  over: {},
};

/** Phases in which a server that is silent is taken for unreachable, long before the client's time is over. */
const opening: ReadonlySet<Phase> = new Set(['greeting', 'features']);

/** Who has authenticated, as far as was seen. */
export interface Hint {
  /** The user name in the exchange. */
  readonly userHint: string | undefined;
  readonly domain: string;
  readonly serverHeader: StreamHeader | undefined;
}

export class NegotiationMachine {
  readonly #state: State;

  constructor(rules: NegotiationRules) {
    this.#state = newState(rules);
  }

  get phase(): Phase {
    return this.#state.phase;
  }

  /** The server has been connected to, and has not opened its stream yet. */
  /** Who the client has said it is, once authenticated: user name as seen and domain. A hint, never proof. */
  get hint(): Hint {
    const { sasl, host, serverHeader } = this.#state;
    return { userHint: sasl?.userHint, domain: host, serverHeader };
  }

  get isOpening(): boolean {
    return opening.has(this.#state.phase);
  }

  /** Takes one input. The effects must be carried out, `release` excepted, before the next input comes. */
  step(input: Input): Effect[] {
    const state = this.#state;
    if (state.phase === 'bound' || state.phase === 'over') return [];
    switch (input.type) {
      case 'header':
        return table[state.phase].header?.[input.from]?.(state, input.header) ?? outOfTurn(state, input.from);
      case 'stanza':
        if (isStreamError(input.stanza)) return crossError(state, input.from, input.stanza);
        return table[state.phase].stanza?.[input.from]?.(state, input.stanza) ?? outOfTurn(state, input.from);
      case 'end':
      case 'closed':
        return input.from === 'client' ? clientGone(state, input.type) : serverGone(state, input.type);
      case 'violation':
        return crossViolation(state, input.from, input.violation);
      case 'encrypted':
        return secured(state);
      case 'dialed':
        state.phase = 'greeting';
        return [];
      case 'dial-failed':
        state.hasUpstream = false;
        return fail(state, input.violation, input.violation.text);
      case 'timeout':
        return input.of === 'client'
          ? failWith(state, 'connection-timeout', 'Not authenticated and bound in time')
          : failWith(state, 'remote-connection-failed', 'The server does not answer');
      case 'recalled':
        return recalled(state, input.xml, input.owner);
      case 'lent':
        return lent(state, input.isTaken);
      case 'stop':
        return fail(state, input.violation, 'stopped');
    }
  }
}

/** Phase `open`, from the client. */
function beforeAuth(state: State, stanza: Stanza): Effect[] {
  if (stanza.ns === NS.sasl) return saslRequest(state, stanza);
  if (stanza.ns === NS.tls) return mayStartTls(state) ? startTls(state) : refuseTls(state);
  const query = legacyQuery(stanza);
  return query === undefined ? passGuarded(stanza) : loginRequest(state, stanza, query);
}

/** Phase `authenticated`, from the client. */
function afterAuth(state: State, stanza: Stanza): Effect[] {
  if (stanza.ns === NS.sasl) return refuseSecondSasl();
  if (stanza.ns === NS.tls) return refuseTls(state);
  if (legacyQuery(stanza) !== undefined) return refuseLogin(stanza, 'authenticated already');
  return bindingRequest(state, stanza) ?? resumeRequest(state, stanza) ?? passGuarded(stanza);
}

/** Registration and the like: the server's business. */
function passGuarded(stanza: Stanza): Effect[] {
  const refusal = guard(stanza);
  if (refusal === undefined) return [{ do: 'forward', to: 'server', stanza }];
  return [
    { do: 'refused', reason: refusal.reason },
    { do: 'send', to: 'client', xml: refusal.xml },
  ];
}

/** What comes from the server while it is the client's move. */
function fromServer(state: State, stanza: Stanza): Effect[] {
  if (state.phase === 'open' && isFeatures(stanza)) return offerFeatures(state, stanza);
  return [{ do: 'forward', to: 'client', stanza: state.rules.plainOnly ? withoutDigest(stanza) : stanza }];
}

function outOfTurn(state: State, from: Side): Effect[] {
  return from === 'client'
    ? failWith(state, 'not-authorized', 'Out of turn')
    : failWith(state, 'remote-connection-failed', 'The server speaks out of turn');
}
