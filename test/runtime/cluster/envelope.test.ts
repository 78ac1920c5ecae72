/** What nodes write to each other is read as it was written. */
import fc from 'fast-check';
import type { Input } from '../../../proxy/core/inputs.ts';
import type { SessionId } from '../../../proxy/core/state.ts';
import { Payload, Reading, readBody, writeBody } from '../../../proxy/runtime/cluster/envelope.ts';
import { type InputItem, readInput, writeInput } from '../../../proxy/runtime/cluster/items.ts';
import { USUAL_DECLARATIONS } from '../../../proxy/xml/declarations.ts';
import { parseStanza } from '../../../proxy/xml/stanza.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('envelopes between nodes');

test('any items and texts come back as they were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ note: fc.string({ unit: 'binary' }), text: fc.string({ unit: 'binary' }) })),
      (all) => {
        const payload = new Payload<{ note: string; text: number }>();
        for (const { note, text } of all) payload.add({ note, text: payload.text(text) });
        const { head, payload: bytes } = readBody<{ kind: string }>(writeBody({ kind: 'k\n' }, payload.seal()));
        assert.is(head.kind, 'k\n');
        const reading = new Reading<{ note: string; text: number }>(bytes);
        assert.equal(
          reading.items.map(({ note, text }) => ({ note, text: reading.text(text) })),
          all.map(({ note, text }) => ({ note, text: Buffer.from(text) })),
        );
      },
    ),
  );
});

test('a stanza needs no declarations of the stream that it came on', () => {
  const declarations = new Map([...USUAL_DECLARATIONS, ['odd', 'urn:odd']]);
  const payload = new Payload<{ stanza: number }>();
  payload.add({ stanza: payload.stanza(parseStanza("<message to='a'><odd:x/></message>", declarations)) });
  const made = parseStanza("<message to='b'><odd:y/></message>", declarations);
  payload.add({ stanza: payload.made(made.bytes, made) });
  const reading = new Reading<{ stanza: number }>(payload.seal());
  const namespaces = reading.items.map(({ stanza }) => reading.stanza(stanza).root.children[0]?.ns);
  assert.equal(namespaces, ['urn:odd', 'urn:odd']);
});

test('how sure a node is of what a session sends comes with it', () => {
  const stanza = parseStanza("<message to='a'/>");
  for (const how of [{}, { isUnsure: true }, { isAskedAgain: true }, { isUnsure: true, isAskedAgain: true }]) {
    const payload = new Payload<InputItem>();
    writeInput(payload, { kind: 'session-stanza', session: 's' as SessionId, stanza, ...how });
    const reading = new Reading<InputItem>(payload.seal());
    const [item] = reading.items;
    if (item?.kind !== 'session-stanza') throw new Error('no item');
    const {
      kind,
      session,
      stanza: _,
      ...read
    } = readInput(reading, item) as Extract<Input, { kind: 'session-stanza' }>;
    assert.equal([kind, session, read], ['session-stanza', 's', how]);
  }
});

test('lengths that do not fit are found', () => {
  const payload = new Payload<object>();
  payload.add({});
  payload.text('text');
  assert.throws(() => new Reading(Buffer.concat([payload.seal(), Buffer.from('more')])), /lengths/);
});

test.run();
