/** What a balancer says, and what the server is told (S4); several processes on one machine (C7). */
import type { Mutant } from '../mutant.ts';

export const edge: readonly Mutant[] = [
  {
    name: 'what a PROXY header says is read and forgotten',
    file: 'net/proxied.ts',
    find: '      if (route !== undefined) stateRoute(socket, route);\n',
    put: '',
    kills: { edge: ['S4 the server sees', 'S4 connections are limited'] },
    cells: 'ejabberd,borrowed,tcp',
  },
  {
    name: 'what X-Forwarded-For says is not looked at',
    file: 'net/listen-ws.ts',
    find: '  noteForwarded(request, socket, options);\n',
    put: '',
    kills: { edge: ['S4 the server sees', 'S4 connections are limited'] },
    cells: 'prosody,borrowed,websocket',
  },
  {
    name: 'the server is told of no client',
    file: 'runtime/negotiation.ts',
    find: ', client: this.clientLeg.route }',
    put: ' }',
    kills: { edge: ['S4 the server sees'] },
    cells: 'ejabberd,account,tcp',
  },
  {
    name: 'what cannot be a header is waited for as if it could',
    file: 'net/proxied.ts',
    find: "    if (header === 'incomplete') return;\n",
    put: "    if (header === 'incomplete' || header === 'malformed') return;\n",
    kills: { 'edge-program': ['S4 whatever comes'] },
  },
  {
    name: 'a worker that has ended is not started again',
    file: 'workers/parent.ts',
    find: '    if (this.#isStopping || !this.#isUp) return;\n',
    put: '    if (this.#isUp) return;\n',
    kills: { workers: ['C7 a worker that is killed'] },
  },
  {
    name: 'operators are told of one worker alone',
    file: 'workers/parent.ts',
    find: '    this.#gathered.put(worker.number, measured);\n',
    put: '    this.#gathered.put(0, measured);\n',
    kills: { workers: ['C7 devices of one account'] },
  },
  {
    name: 'a worker does not mind that its parent is no more',
    file: 'workers/worker.ts',
    find: "    line.onLost(() => resolve('the parent is no more'));\n",
    put: '',
    kills: { workers: ['C7 when the parent is killed'] },
  },
];
