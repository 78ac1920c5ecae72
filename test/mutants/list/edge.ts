/** What a balancer says, and what the server is told (S4). */
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
];
