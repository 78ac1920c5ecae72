/**
 * Whose stream it is, for the resumption of a session that the proxy keeps by itself (DESIGN "Stream features"). SASL is the
 * server's, and what a client calls itself there proves nothing: only a bind result names the account. So a resource is bound
 * on the new stream, which is then thrown away; it has never sent presence, and nobody hears of it.
 */
import { accountKey } from '../../xml/address.ts';
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { boundJid } from '../bind.ts';
import { answersRequest } from './binding.ts';
import type { Effect, ResumeRequest } from './io.ts';
import { failWith, forget, hangUp, letGo, type State } from './state.ts';

/** The session that `request` names is kept here. What is said to a client that it does not belong to: `refused`. */
export function prove(state: State, request: ResumeRequest, refused: readonly Effect[]): Effect[] {
  if (state.spare !== undefined) {
    const granted = judge(state, request, state.spare);
    return granted ? [{ do: 'hold', on: 'client' }, ...granted] : [...refused];
  }
  return [{ do: 'hold', on: 'client' }, ask(state, request)];
}

/** The session is kept at another node, and is that account's. The client is held. */
export function proveElsewhere(
  state: State,
  request: ResumeRequest,
  owner: string,
  refused: readonly Effect[],
): Effect[] {
  state.ownerElsewhere = owner;
  if (state.spare === undefined) return [ask(state, request)];
  return judge(state, request, state.spare) ?? [...refused, ...letGo(state, 'authenticated')];
}

function ask(state: State, request: ResumeRequest): Effect {
  const id = state.rules.newStreamId();
  state.resuming = request;
  state.request = { id, asked: undefined };
  state.phase = 'proving';
  return { do: 'send', to: 'server', xml: `<iq type='set' id='${id}'><bind xmlns='${NS.bind}'/></iq>` };
}

/** Phase `proving`: the server's answer. After a refusal the client may bind. */
export function proofAnswer(state: State, stanza: Stanza, refuse: (request: ResumeRequest) => Effect[]): Effect[] {
  const { request, resuming } = state;
  if (request === undefined || resuming === undefined || !answersRequest(stanza, request)) {
    return [{ do: 'forward', to: 'client', stanza }];
  }
  state.request = undefined;
  state.resuming = undefined;
  if (stanza.type === 'result') {
    state.spare = boundJid(stanza);
    if (state.spare === undefined) {
      return failWith(state, 'remote-connection-failed', 'The server has not said what it bound');
    }
    const granted = judge(state, resuming, state.spare);
    if (granted) return granted;
  }
  state.ownerElsewhere = undefined;
  return [...refuse(resuming), ...letGo(state, 'authenticated')];
}

/** Undefined: the session is another account's, or is not there any more. */
function judge(state: State, request: ResumeRequest, jid: string): Effect[] | undefined {
  const { ownerElsewhere } = state;
  state.ownerElsewhere = undefined;
  const owner = state.rules.ownerOf?.(request) ?? ownerElsewhere;
  if (owner === undefined || accountKey(owner) !== accountKey(jid)) return undefined;
  if (ownerElsewhere !== undefined) {
    state.resuming = request;
    state.phase = 'lending';
    return [{ do: 'lend' }];
  }
  const ended = hangUp(state);
  forget(state, 'bound');
  return [...ended, { do: 'resumed-here', request }];
}

/** Phase `lending`: the other node's answer. The stream that was bound is kept until then: after a refusal the client may have it. */
export function lentAnswer(state: State, isTaken: boolean, refuse: (request: ResumeRequest) => Effect[]): Effect[] {
  const { resuming } = state;
  state.resuming = undefined;
  if (!isTaken) return [...(resuming ? refuse(resuming) : []), ...letGo(state, 'authenticated')];
  const ended = hangUp(state);
  forget(state, 'bound');
  return [...ended, { do: 'lent' }];
}
