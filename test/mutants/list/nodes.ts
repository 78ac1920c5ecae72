/** Rules of several nodes that serve one account (C1 to C5). */
import type { Mutant } from '../mutant.ts';

export const nodes: readonly Mutant[] = [
  {
    name: 'what a room says goes to the sessions of the home alone',
    file: 'runtime/account-runner.ts',
    find: '        if (missing) this.#elsewhere?.fork(missing, effect.stanza);\n',
    put: '',
    kills: { nodes: ['C1 devices on three nodes', 'C3 the store is away'] },
  },
  {
    name: 'a node that stops hands nothing over',
    file: 'app.ts',
    find: '    await this.#cluster?.drain(this.#config.drain.timeoutMs);\n',
    put: '',
    kills: { nodes: ['C4 a node that stops', 'C4 every node'], 'nodes-program': ['C4 SIGTERM'] },
  },
  {
    name: 'nobody takes the place of a home that is lost',
    file: 'runtime/cluster/residency.ts',
    find: '    this.seek(delayMs);\n',
    put: '    this.#part.settle();\n',
    kills: { nodes: ['C2 the home dies'], 'nodes-program': ['C2 SIGKILL of the home', 'C5 SIGSTOP'] },
  },
  {
    name: 'sessions of a node that has died stay',
    file: 'runtime/cluster/shared-account.ts',
    find: '    home?.guests.lost(node);\n',
    put: '    home?.guests.lost(this.node.id);\n',
    kills: { nodes: ['C2 a node dies that is not the home'], 'nodes-program': ['C2 SIGKILL of a node'] },
  },
];
