/** Rules of authentication and binding (S5, S5a, S6, S7). */
import type { Mutant } from '../mutant.ts';

export const authentication: readonly Mutant[] = [
  {
    name: 'mechanisms that are bound to a channel are offered',
    file: 'stream/features.ts',
    find: 'if (isChannelBound || (isClearText',
    put: 'if ((isClearText',
    cells: 'ejabberd',
    kills: { 'stream-sasl': ['S5 the mechanisms'] },
  },
  {
    name: 'SCRAM is not offered',
    file: 'stream/features.ts',
    find: 'if (isChannelBound || (isClearText',
    put: "if (name.startsWith('SCRAM') || isChannelBound || (isClearText",
    kills: { 'stream-sasl': ['S5 the mechanisms', 'S5 every mechanism', 'S5 the channel binding flag'] },
  },
  {
    name: 'a client that would have bound to a channel is taken for one under attack',
    file: 'stream/sasl-relay.ts',
    find: '/^(?:n|y|p=',
    put: '/^(?:n|p=',
    kills: { 'stream-sasl': ['S5 the channel binding flag'] },
  },
  {
    name: "the server's challenges end at the proxy",
    file: 'stream/negotiation/authentication.ts',
    find: "      return [forward, ...letGo(state, 'open')];\n    case 'success'",
    put: "      return [...letGo(state, 'open')];\n    case 'success'",
    kills: { 'stream-sasl': ['S5 every mechanism', "S5a one's own"] },
  },
  {
    name: 'one wrong password ends the stream',
    file: 'stream/negotiation/authentication.ts',
    find: 'if (state.failures < state.rules.maxFailures) return undefined;',
    put: 'if (state.failures < 1) return undefined;',
    kills: { 'stream-sasl': ['S5 a wrong password', 'S5 without TLS', 'S5a another'] },
  },
  {
    name: 'passwords are taken where others may listen',
    file: 'stream/negotiation/state.ts',
    find: 'return state.encrypted || state.rules.trusted;',
    put: 'return state.encrypted || state.rules.trusted || state.host !== "";',
    kills: { 'stream-sasl': ['S5 without TLS'] },
  },
  {
    name: 'plain-only offers all',
    file: 'stream/features.ts',
    find: "  const onlyPlain = rules.plainOnly && names.includes('PLAIN');",
    put: "  const onlyPlain = rules.plainOnly && names.includes('');",
    kills: { 'stream-sasl': ['S5 plain-only'] },
  },
  {
    name: "another's identity is the server's business",
    file: 'stream/sasl-relay.ts',
    find: "    if (authzid === '' || authzid === authcid) return true;\n",
    put: '    if (authzid !== authcid || authzid === authcid) return true;\n',
    kills: { 'stream-sasl': ['S5a another'] },
  },
  {
    name: 'whoever names an identity is refused',
    file: 'stream/sasl-relay.ts',
    find: "    if (authzid === '' || authzid === authcid) return true;\n",
    put: "    if (authzid === '' || authzid === authcid) return true;\n    if (authcid !== '') return false;\n",
    kills: { 'stream-sasl': ["S5a one's own"] },
  },
  {
    name: 'a session is who the client says it is',
    file: 'stream/negotiation/binding.ts',
    find: '  const jid = boundJid(stanza);\n',
    put: '  const jid = boundJid(stanza) && `${state.sasl?.userHint}@${state.host}/${boundJid(stanza)?.split("/")[1]}`;\n',
    and: [
      {
        file: 'xml/address.ts',
        find: 'return key !== undefined && key === lowerAscii(bare) ? key : (bare as BareKey);',
        put: 'return bare as BareKey;',
      },
    ],
    kills: { 'stream-sasl': ['S7 a session is who'] },
  },
  {
    name: 'a session has the resource that it asked for',
    file: 'stream/negotiation/binding.ts',
    find: '  const resource = chooseResource(state, state.sasl?.userHint, asked);\n',
    put: "  const resource = chooseResource(state, state.sasl?.userHint, asked);\n  Object.assign(state.request, { jid: resource ?? '' });\n",
    and: [
      {
        file: 'stream/negotiation/binding.ts',
        find: '  const jid = boundJid(stanza);\n',
        put: '  const jid = boundJid(stanza)?.replace(/[/].*/, `/${request.jid}`);\n',
      },
    ],
    kills: { 'stream-sasl': ['S7 a resource that the server changes'] },
  },
  {
    name: 'legacy authentication is refused',
    file: 'stream/negotiation/login.ts',
    find: "  if (!allowsClearText(state)) return refuseLogin(stanza, 'encryption required');\n",
    put: "  if (state.host !== '') return refuseLogin(stanza, 'encryption required');\n",
    kills: { 'stream-sasl': ['S6'] },
  },
  {
    name: 'a legacy login shows a digest, and no password',
    file: 'stream/legacy-auth.ts',
    find: '  if (digest === undefined) return answer;\n',
    put: "  if (digest === undefined || answer.name === 'iq') return answer;\n",
    cells: 'jabberd2',
    kills: { 'stream-sasl': ['S6 with plain-only'] },
  },
];
