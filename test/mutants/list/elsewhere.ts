/** Rules of sessions that are resumed on another node than they were on (S9). */
import type { Mutant } from '../mutant.ts';

export const elsewhere: readonly Mutant[] = [
  {
    name: 'other nodes are not asked for a session',
    file: 'runtime/recall.ts',
    find: 'const found = await this.#peers.find(request);',
    put: 'const found = undefined;',
    kills: {
      'resume-nodes': ['S9 a device that sleeps comes back', 'S9 a device comes to another node while'],
    },
  },
  {
    name: 'a node that stops puts no session into the store',
    file: 'app.ts',
    find: '      await this.#accounts.transferAll();\n',
    put: '',
    kills: {
      'resume-nodes': ['S9 a node stops', 'S9 every node is replaced', 'S9 siblings in the same room'],
      'resume-nodes-program': ['C4 SIGTERM'],
    },
  },
  {
    name: 'a node that stops alone leaves the rooms to its account streams',
    file: 'runtime/cluster/residency.ts',
    find: '      this.#leaving = streamsToFree(home.state, ports);\n',
    put: '      this.#leaving = [];\n',
    cells: 'prosody,account,tcp',
    kills: { 'resume-nodes': ['S9 every node is replaced'] },
  },
  {
    name: 'what a session that comes has been shown is not compared with what is known of its rooms',
    file: 'runtime/cluster/mirror.ts',
    find: '    const known = joined.map((room) => this.shown(passage, room));\n',
    put: '    const known: never[] = [];\n',
    kills: { 'resume-nodes': ['S9 siblings in the same room'] },
  },
  {
    name: 'a client whose session is nowhere is left without an answer',
    file: 'stream/negotiation/resumption.ts',
    find: "    return [...refusal(resuming.version), ...letGo(state, 'authenticated')];\n  }\n  state.phase = 'resuming';",
    put: "    return [];\n  }\n  state.phase = 'resuming';",
    kills: { 'resume-nodes': ['S9 a device whose node has died'], 'resume-nodes-program': ['C2 SIGKILL'] },
  },
  {
    name: 'a session is given away before the server has granted it',
    file: 'runtime/recall.ts',
    find: '      const { node } = found;\n',
    put: '      const { node } = found;\n      await this.#peers.transfer(node, request);\n      await this.#store.take(name);\n',
    kills: { 'resume-nodes': ["S9 another account's session"] },
  },
];
