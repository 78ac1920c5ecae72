/**
 * Resumption of a session (XEP-0198 section 5) in the place of binding. The client names the session, the server grants it:
 * only its `<resumed/>` proves whose session it is. Where the server has no XEP-0198 see proof.ts.
 */
import { NS } from '../../xml/names.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { readH } from '../management/management.ts';
import { authenticatedStream } from './binding.ts';
import type { Effect, ResumeRequest } from './io.ts';
import { lentAnswer, proofAnswer, prove, proveElsewhere } from './proof.ts';
import { forget, letGo, type State } from './state.ts';

/** A client's `<resume/>`; undefined for all else. The session's map decides what the server is told in its place. */
export function resumeRequest(state: State, stanza: Stanza): Effect[] | undefined {
  if (!isManagement(stanza) || stanza.name !== 'resume') return undefined;
  const request = readRequest(state.host, stanza);
  if (request && state.rules.ownerOf?.(request) !== undefined) return prove(state, request, refusal(stanza.ns));
  if (!request) return refuse(stanza);
  const xml = state.rules.resume?.(request);
  const isKnown = xml !== undefined;
  if (!isKnown && !state.rules.mayRecall) return refuse(stanza);
  state.resuming = request;
  state.phase = isKnown ? 'resuming' : 'recalling';
  return [{ do: 'hold', on: 'client' }, isKnown ? { do: 'send', to: 'server', xml } : { do: 'recall', request }];
}

/** Phase `recalling`: the session is known elsewhere, or nowhere. */
export function recalled(state: State, xml: string | undefined, owner: string | undefined): Effect[] {
  const { resuming } = state;
  if (state.phase !== 'recalling' || resuming === undefined) return [];
  if (owner !== undefined) return proveElsewhere(state, resuming, owner, refusal(resuming.version));
  if (xml === undefined) {
    state.resuming = undefined;
    return [...refusal(resuming.version), ...letGo(state, 'authenticated')];
  }
  state.phase = 'resuming';
  return [{ do: 'send', to: 'server', xml }];
}

function readRequest(domain: string, stanza: Stanza): ResumeRequest | undefined {
  const previd = stanza.root.attr('previd');
  const h = readH(stanza);
  return previd === undefined || h === undefined ? undefined : { domain, previd, h, version: stanza.ns };
}

/** Phase `resuming`: the server's answer. After a refusal the client may bind. */
export function resumeAnswer(state: State, stanza: Stanza): Effect[] {
  const { resuming } = state;
  if (!isManagement(stanza) || resuming === undefined) return [{ do: 'forward', to: 'client', stanza }];
  if (stanza.name === 'resumed') {
    const stream = authenticatedStream(state, state.sasl?.mechanism ?? '');
    forget(state, 'bound');
    return [
      { do: 'hold', on: 'server' },
      { do: 'resumed', request: resuming, answer: stanza, stream },
    ];
  }
  state.resuming = undefined;
  return [{ do: 'resume-refused', request: resuming }, ...refuse(stanza), ...letGo(state, 'authenticated')];
}

/** Phase `proving`. */
export function ownAnswer(state: State, stanza: Stanza): Effect[] {
  return proofAnswer(state, stanza, ({ version }) => refusal(version));
}

/** Phase `lending`. */
export function lent(state: State, isTaken: boolean): Effect[] {
  return state.phase === 'lending' ? lentAnswer(state, isTaken, ({ version }) => refusal(version)) : [];
}

/** Without the server's count, which is not the client's. */
function refuse(stanza: Stanza): Effect[] {
  return refusal(stanza.ns, stanza.root.children.find(({ ns }) => ns === NS.stanzaErrors)?.name);
}

function refusal(version: string, condition = 'item-not-found'): Effect[] {
  const xml = `<failed xmlns='${version}'><${condition} xmlns='${NS.stanzaErrors}'/></failed>`;
  return [
    { do: 'refused', reason: 'sm-resume' },
    { do: 'send', to: 'client', xml },
  ];
}

function isManagement(stanza: Stanza): boolean {
  return stanza.ns === NS.sm3 || stanza.ns === NS.sm2;
}
