/** Parked streams whose node stops (C4). */
import type { Mutant } from '../mutant.ts';

export const parkingStop: readonly Mutant[] = [
  {
    name: 'a parked stream that the server would keep ends with its node',
    file: 'runtime/session-ends.ts',
    find: '    if (this.leftMs !== undefined) {\n',
    put: '    if (this.leftMs !== undefined && this.#isServerGone) {\n',
    kills: {
      'parking-stop': [
        'C4 a node stops, and the room',
        'C4 a session that comes to another node',
        'C4 the proxy is started anew',
        'C4 nobody comes in time',
      ],
    },
  },
  {
    name: 'the next node lets a client have the resource of a stream that was left to the server',
    file: 'runtime/accounts.ts',
    find: '    if (!isLeft && !(view',
    put: '    if (!(view',
    kills: { 'parking-stop': ['C4 a node stops, and the room'] },
  },
  {
    name: 'the next node does not take over what streams that were left to the server carry',
    file: 'runtime/accounts.ts',
    find: '    if (rooms) this.#cluster.find(key)?.inherit(',
    put: '    if (rooms?.length === 0) this.#cluster.find(key)?.inherit(',
    kills: { 'parking-stop': ['C4 a session that comes to another node'] },
  },
  {
    name: 'letters are given back at a stop although they lie in the store',
    file: 'core/rules/parking.ts',
    find: '  if (isStored || hasOtherCarrier(',
    put: '  if (hasOtherCarrier(',
    kills: { 'parking-stop': ['C4 a node stops, and the room'] },
  },
  {
    name: 'letters that lie nowhere else are lost with a stream that is left to the server',
    file: 'core/rules/parking.ts',
    find: '  if (carrier?.isParked) parkedLeaves(turn, carrier, isStored);\n',
    put: '  if (carrier?.isParked && carrier.isLeaving) parkedLeaves(turn, carrier, isStored);\n',
    kills: { 'parking-stop': ['C4 the proxy is started anew'] },
  },
];
