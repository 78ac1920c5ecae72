/** Rules of sessions that the proxy keeps by itself and whose clients come back to another node, or not at all (S9). */
import type { Mutant } from '../mutant.ts';

const cells = 'jabberd2,borrowed,tcp';

export const lending: readonly Mutant[] = [
  {
    name: 'a session that the proxy keeps by itself is resumed at its own node only',
    file: 'runtime/cluster/recalls.ts',
    find: '    const owner = this.#holder?.ownerOf(request);\n',
    put: '    const owner = undefined;\n',
    cells,
    kills: {
      'resume-own-nodes': [
        'S9 a client resumes',
        'S9 the node that a client',
        'S9 the node that has',
        'S9 a client at another',
      ],
    },
  },
  {
    name: 'whoever knows the name of a session has it at another node',
    file: 'stream/negotiation/proof.ts',
    find: '  if (owner === undefined || accountKey(owner) !== accountKey(jid)) return undefined;\n',
    put: '  if (owner === undefined) return undefined;\n',
    cells,
    kills: { 'resume-own-nodes': ["S9 another account's session"] },
  },
  {
    name: 'the stream that a proof was bound on stays when the leg is lent',
    file: 'stream/negotiation/proof.ts',
    find: "  forget(state, 'bound');\n  return [...ended, { do: 'lent' }];\n",
    put: "  forget(state, 'bound');\n  return [...ended.slice(1), { do: 'lent' }];\n",
    cells,
    kills: { 'resume-own-nodes': ['S9 a client resumes'] },
  },
  {
    name: 'a client is left alone when the node that has its session is no more',
    file: 'runtime/cluster/lending.ts',
    find: '    for (const [id, one] of [...this.#lent]) if (one.node === node) this.#gone(node, id);\n',
    put: '',
    cells,
    kills: { 'resume-own-nodes': ['S9 the node that has a session dies'] },
  },
  {
    name: 'a client whose node stops keeps its connection to the end',
    file: 'runtime/cluster/lent-leg.ts',
    find: '  drop(): void {\n    this.#flow.close();\n    this.#leg.handler = SILENT;\n    this.#leg.destroy();\n',
    put: '  drop(): void {\n    this.#flow.close();\n    this.#leg.handler = SILENT;\n',
    and: [
      {
        file: 'runtime/cluster/lent-leg.ts',
        find: '  cut(): void {\n    this.#leg.destroy();\n',
        put: '  cut(): void {\n    this.#leg.end();\n',
      },
    ],
    cells,
    kills: { 'resume-own-nodes': ['S9 the node that a client'] },
  },
  {
    name: 'what waits for a session to come is kept by its process alone',
    file: 'core/letters.ts',
    find: "  if (state.settings.keepsLogs) out.push({ kind: 'store-letters' });\n",
    put: '',
    cells,
    kills: { 'resume-own-nodes': ['S9 what had come for'] },
  },
];
