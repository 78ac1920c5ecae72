/** Legacy authentication (XEP-0078) as it passes through (S6): one request authenticates and binds. */
import { stanzaError } from '../../xml/build.ts';
import { NS } from '../../xml/names.ts';
import type { Node } from '../../xml/spans.ts';
import type { Stanza } from '../../xml/stanza.ts';
import { loginJid, readLogin, withLoginResource } from '../legacy-auth.ts';
import { attemptFailed } from './authentication.ts';
import { answersRequest, becomeBound } from './binding.ts';
import type { Effect } from './io.ts';
import { allowsClearText, chooseResource, letGo, type State } from './state.ts';

/** A `jabber:iq:auth` request in phase `open`. A digest too needs a link that nobody reads: it is worth little. */
export function loginRequest(state: State, stanza: Stanza, query: Node): Effect[] {
  if (!allowsClearText(state)) return refuseLogin(stanza, 'encryption required');
  if (stanza.type !== 'set') return [{ do: 'forward', to: 'server', stanza }];
  const login = readLogin(stanza, query);
  if (login === undefined) return refuseLogin(stanza, 'username or resource missing or malformed');
  if (login.password === undefined && state.rules.plainOnly) return refuseLogin(stanza, 'password wanted');
  const { username, password } = login;
  const resource = chooseResource(state, username, login.resource) ?? login.resource;
  const jid = loginJid({ ...login, resource }, state.host);
  if (jid === undefined) return refuseLogin(stanza, 'username or resource malformed');
  const credentials = password === undefined ? undefined : { username, secret: password };
  state.request = { id: stanza.id ?? '', asked: login.resource, jid, credentials };
  state.phase = 'login';
  return [
    { do: 'hold', on: 'client' },
    {
      do: 'forward',
      to: 'server',
      stanza: resource === login.resource ? stanza : withLoginResource(stanza, query, resource),
    },
  ];
}

/** Phase `login`. */
export function loginAnswer(state: State, stanza: Stanza): Effect[] {
  const { request } = state;
  if (request === undefined || !answersRequest(stanza, request)) return [{ do: 'forward', to: 'client', stanza }];
  const result = stanza.type === 'result' ? 'success' : 'failure';
  const counted: Effect = { do: 'sasl', mechanism: NS.iqAuth, result };
  if (result === 'success') {
    return [counted, ...becomeBound(state, stanza, request.jid ?? '', NS.iqAuth)];
  }
  state.request = undefined;
  return [counted, { do: 'forward', to: 'client', stanza }, ...(attemptFailed(state) ?? letGo(state, 'open'))];
}

/** XEP-0078 section 5: "required information not provided" is the nearest of its three errors. */
export function refuseLogin(stanza: Stanza, reason: string): Effect[] {
  return [
    { do: 'refused', reason: 'legacy-auth' },
    {
      do: 'send',
      to: 'client',
      xml: stanzaError(stanza, { type: 'modify', condition: 'not-acceptable', text: reason }),
    },
  ];
}
