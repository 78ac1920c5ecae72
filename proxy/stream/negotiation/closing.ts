/** Ends before there is a session: errors and closes of one leg cross to the other with the same condition (S8). */
import type { Violation } from '../../xml/framer.ts';
import type { Stanza } from '../../xml/stanza.ts';
import type { Effect, Side } from './io.ts';
import { fail, failWith, forget, greetIfNeeded, hangUp, type State } from './state.ts';

/** A stream error, passed on as it is. Whoever sent it gets our closing tag. */
export function crossError(state: State, from: Side, stanza: Stanza): Effect[] {
  const passed: Effect[] = [];
  if (from === 'server') passed.push(...greetIfNeeded(state), { do: 'forward', to: 'client', stanza });
  else if (hasServerStream(state) && state.phase !== 'resuming') passed.push({ do: 'forward', to: 'server', stanza });
  const ends: Effect[] = [{ do: 'end', to: 'client' }, ...hangUp(state)];
  forget(state, 'over');
  return [...passed, ...ends, { do: 'over', reason: `stream error of the ${from}` }];
}

/** What one side's bytes broke; both are told. */
export function crossViolation(state: State, from: Side, violation: Violation): Effect[] {
  const told: Effect[] =
    hasServerStream(state) && state.phase !== 'resuming' ? [{ do: 'error', to: 'server', violation }] : [];
  if (told.length > 0) state.hasUpstream = false;
  return [...told, ...fail(state, violation, `${from}: ${violation.condition}`)];
}

export function clientGone(state: State, how: 'end' | 'closed'): Effect[] {
  const answered: Effect[] = how === 'end' ? [...greetIfNeeded(state), { do: 'end', to: 'client' }] : [];
  const ended = hangUp(state);
  forget(state, 'over');
  return [...answered, ...ended, { do: 'over', reason: how === 'end' ? 'closed by the client' : 'client lost' }];
}

export function serverGone(state: State, how: 'end' | 'closed'): Effect[] {
  if (how === 'closed' || !state.greeted) {
    return failWith(state, 'remote-connection-failed', 'The server has closed the connection');
  }
  const effects: Effect[] = [
    { do: 'end', to: 'client' },
    ...hangUp(state),
    { do: 'over', reason: 'closed by the server' },
  ];
  forget(state, 'over');
  return effects;
}

function hasServerStream(state: State): boolean {
  return state.hasUpstream && state.phase !== 'dial';
}
