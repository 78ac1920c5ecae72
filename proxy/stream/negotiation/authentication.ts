/** SASL between client and server as it passes through (RFC 6120 section 6). */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { SaslCondition } from '../sasl-relay.ts';
import type { Effect } from './io.ts';
import { failWith, letGo, type State } from './state.ts';

/**
 * A SASL element of the client in phase `open`: passed on, with the client held until the server has answered, so that what
 * it pipelines is understood in the light of that answer.
 */
export function saslRequest(state: State, stanza: Stanza): Effect[] {
  const condition = inspect(state, stanza);
  if (condition === undefined) {
    state.challenged = false;
    state.phase = 'exchange';
    return [
      { do: 'hold', on: 'client' },
      { do: 'forward', to: 'server', stanza },
    ];
  }
  if (!state.challenged) return refuseSasl(state, condition);
  // The server is in the middle of an exchange, and has to leave it too.
  state.refusal = condition;
  state.phase = 'abort';
  return [
    { do: 'hold', on: 'client' },
    { do: 'send', to: 'server', xml: `<abort xmlns='${NS.sasl}'/>` },
  ];
}

function inspect(state: State, stanza: Stanza): SaslCondition | undefined {
  const { sasl, challenged } = state;
  if (sasl === undefined) return 'malformed-request';
  switch (stanza.name) {
    case 'auth':
      // A second one within an exchange could leave server and proxy with different ideas of the mechanism.
      return challenged ? 'malformed-request' : sasl.auth(stanza.root);
    case 'response':
      return challenged ? sasl.response(stanza.root) : 'malformed-request';
    case 'abort':
      return challenged ? undefined : 'aborted';
    default:
      return 'malformed-request';
  }
}

/** Phase `exchange`. */
export function saslAnswer(state: State, stanza: Stanza): Effect[] {
  const forward: Effect = { do: 'forward', to: 'client', stanza };
  if (stanza.ns !== NS.sasl) return [forward];
  switch (stanza.name) {
    case 'challenge':
      state.challenged = true;
      return [forward, ...letGo(state, 'open')];
    case 'success':
      state.greeted = false;
      return [
        forward,
        { do: 'sasl', mechanism: state.sasl?.mechanism ?? '', result: 'success' },
        { do: 'restart', on: 'client' },
        { do: 'restart', on: 'server' },
        { do: 'authenticated' },
        ...letGo(state, 'restart'),
      ];
    case 'failure':
      return [forward, ...counted(state, stanza), ...(attemptFailed(state) ?? letGo(state, 'open'))];
    default:
      return [forward];
  }
}

/** Phase `abort`: the server's own words about it stay here. */
export function abortAnswer(state: State, stanza: Stanza): Effect[] {
  if (stanza.ns !== NS.sasl) return [{ do: 'forward', to: 'client', stanza }];
  if (stanza.name === 'success') return failWith(state, 'policy-violation', 'The server accepted what was refused');
  if (stanza.name !== 'failure') return [];
  const refused = refuseSasl(state, state.refusal);
  return state.phase === 'over' ? refused : [...refused, ...letGo(state, 'open')];
}

/** A failure of our own making, of which the server hears nothing. */
export function refuseSasl(state: State, condition: SaslCondition): Effect[] {
  return [
    { do: 'sasl', mechanism: state.sasl?.mechanism ?? '', result: condition === 'aborted' ? 'aborted' : 'refused' },
    { do: 'refused', reason: `sasl-${condition}` },
    { do: 'send', to: 'client', xml: `<failure xmlns='${NS.sasl}'><${condition}/></failure>` },
    ...(attemptFailed(state) ?? []),
  ];
}

/** SASL once more after success. */
export function refuseSecondSasl(): Effect[] {
  const text = `<text xml:lang='en'>This stream is authenticated already</text>`;
  return [
    { do: 'refused', reason: 'sasl-again' },
    { do: 'send', to: 'client', xml: `<failure xmlns='${NS.sasl}'><malformed-request/>${text}</failure>` },
  ];
}

function counted(state: State, failure: Stanza): Effect[] {
  const isAborted = failure.root.child('aborted') !== undefined;
  return [{ do: 'sasl', mechanism: state.sasl?.mechanism ?? '', result: isAborted ? 'aborted' : 'failure' }];
}

/**
 * An attempt, SASL or legacy, has come to nothing, and what was seen of it is dropped. The stream goes on (undefined), but
 * not for ever (RFC 6120 section 6.4.5).
 */
export function attemptFailed(state: State): Effect[] | undefined {
  state.sasl?.forget();
  state.challenged = false;
  state.failures += 1;
  if (state.failures < state.rules.maxFailures) return undefined;
  return failWith(state, 'policy-violation', 'Too many failed attempts to authenticate');
}
