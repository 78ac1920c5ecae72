/** Whatever happens, in any order: the model (model.ts) on each kind of service. */
import process from 'node:process';
import fc from 'fast-check';
import { suite } from '../support/suite.ts';
import { checkAgreement, checkEnd, event } from './model.ts';

/** The same orders of events in every run; `SEED=1` and the like for others, `RUNS=10000` for more, `LENGTH=300` for longer ones. */
const seeds = process.env.SEED === undefined ? [20261121, 405] : [Number(process.env.SEED)];
const numRuns = Number(process.env.RUNS ?? 700);
const maxLength = Number(process.env.LENGTH ?? 80);

const test = suite('an account in a room, whatever happens', { limitMs: 120_000 });

for (const isShared of [true, false]) {
  for (const knowsOld of [false, true]) {
    const shares = isShared ? 'shares nicks' : 'refuses shared nicks';
    const service = `a service that ${shares}${knowsOld ? ' and knows groupchat 1.0' : ''}`;
    const events = fc.array(event, { maxLength, size: 'max' });

    test(`on ${service} sessions and room agree in the end and no message comes twice`, () => {
      for (const seed of seeds) {
        const agree = fc.property(events, (list) => checkAgreement({ isShared, knowsOld }, list));
        fc.assert(agree, { numRuns, seed });
      }
    });

    test(`on ${service} nothing is left when all have gone`, () => {
      for (const seed of seeds) {
        const end = fc.property(events, (list) => checkEnd({ isShared, knowsOld }, list));
        fc.assert(end, { numRuns: numRuns >> 1, seed });
      }
    });
  }
}

test.run();
