import { stanzaError, streamError } from '../../proxy/xml/build.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { escapeXml as escapeText } from '../../proxy/xml/text.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('texts that the proxy originates');

test('a stanza error goes back to the sender, with name and id, from the address that was meant', () => {
  const stanza = parseStanza(
    `<iq type='get' to='room@conf' from="o'hara@x/&lt;y" id='&amp;1'><ping xmlns='urn:xmpp:ping'/></iq>`,
  );
  const text = stanzaError(stanza, { type: 'wait', condition: 'remote-server-timeout', text: 'Too <late>' });
  const reply = parseStanza(text);
  assert.equal(
    [reply.name, reply.ns, reply.type, reply.to, reply.from, reply.id],
    ['iq', 'jabber:client', 'error', `o'hara@x/<y`, 'room@conf', '&1'],
  );
  const error = reply.root.child('error', NS.client);
  assert.is(error?.attr('type'), 'wait');
  assert.ok(error?.child('remote-server-timeout', NS.stanzaErrors));
  assert.is(error?.child('text', NS.stanzaErrors)?.text(), 'Too <late>');
});

test('a stanza error may come from another address, repeat a child, and say more', () => {
  const reply = parseStanza(
    stanzaError(parseStanza(`<presence to='room@conf'/>`), {
      type: 'cancel',
      condition: 'conflict',
      from: 'room@conf/nick',
      echo: `<x xmlns='${NS.muc}'/>`,
      extra: `<why xmlns='urn:x'/>`,
    }),
  );
  assert.equal([reply.to, reply.id, reply.from], [undefined, undefined, 'room@conf/nick']);
  assert.equal(
    reply.root.children.map((child) => child.name),
    ['x', 'error'],
  );
  assert.equal(
    reply.root.child('error')?.children.map((child) => child.name),
    ['conflict', 'why'],
  );
});

test('a stream error stands under the prefix stream', () => {
  const error = parseStanza(streamError('policy-violation', 'a & b', `<stanza-too-big xmlns='${NS.xmppErrors}'/>`));
  assert.equal([error.name, error.ns], ['error', NS.streams]);
  assert.ok(error.root.child('policy-violation', NS.streamErrors));
  assert.is(error.root.child('text', NS.streamErrors)?.text(), 'a & b');
  assert.ok(error.root.child('stanza-too-big', NS.xmppErrors));
  assert.is(streamError('reset'), `<stream:error><reset xmlns='${NS.streamErrors}'/></stream:error>`);
});

test('escaped text is read back unchanged from text and from an attribute with either quote', () => {
  const text = `a<b>&amp;'"]]>\t\n\r é😀\u007f\u0085`;
  const e = escapeText(text);
  const { root } = parseStanza(`<m a='${e}' b="${e}">${e}</m>`);
  assert.equal([root.attr('a'), root.attr('b'), root.text()], [text, text, text]);
});

test('what XML cannot carry is replaced', () => {
  assert.is(escapeText('a\u0000\u001b\ufffe\uffff\ud800b\udc00'), `a${'\ufffd'.repeat(5)}b\ufffd`);
});

test.run();
