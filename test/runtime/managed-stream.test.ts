/** What of a server's stream management a client is told (S9). */
import { ManagedStream } from '../../proxy/runtime/managed-stream.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('a managed stream');

function stream(): ManagedStream {
  const silent = (): void => {};
  const lines = {
    toClient: silent,
    toServer: silent,
    clientAsked: silent,
    stanzaToClient: silent,
    stanzaToServer: silent,
  };
  return new ManagedStream(NS.sm3, lines);
}

test('the client is told for how long the server keeps its session, and not of another way to the server', () => {
  const managed = stream();
  const told = managed.enabled(
    parseStanza(`<enabled xmlns='${NS.sm3}' id='x' resume='true' max='60' location='[2001:db8::1]:5222'/>`),
  );
  const { root } = parseStanza(told);
  assert.equal(
    ['id', 'resume', 'max', 'location'].map((name) => root.attr(name)),
    ['x', 'true', '60', undefined],
  );
  assert.equal([managed.previd, managed.resumableMs, managed.isEnabled], ['x', 60_000, true]);
});

test('a server that says nothing of a time keeps the session for the usual one; one that does not resume has none to keep', () => {
  const usual = stream();
  usual.enabled(parseStanza(`<enabled xmlns='${NS.sm3}' id='x' resume='1'/>`));
  assert.is(usual.resumableMs, 300_000);
  const none = stream();
  none.enabled(parseStanza(`<enabled xmlns='${NS.sm3}'/>`));
  assert.equal([none.isEnabled, none.resumableMs], [true, undefined]);
  assert.is(none.prepareResume(0), undefined);
});

test.run();
