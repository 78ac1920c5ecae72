/** What other libraries of the field make of the same addresses and texts. */
import { jid } from '@xmpp/jid';
import fc from 'fast-check';
import { parse } from 'ltx';
import { bareKey, bareOf, resourceOf, splitJid } from '../../proxy/xml/address.ts';
import { stanzaError } from '../../proxy/xml/build.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { escapeXml } from '../../proxy/xml/text.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('addresses and texts as other libraries read them');

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}[A-Za-z0-9]$/);

test('@xmpp/jid splits and compares plain addresses in the same way', () => {
  fc.assert(
    fc.property(word, word, word, (local, domain, resource) => {
      const text = `${local}@${domain}/${resource}`;
      const theirs = jid(text);
      assert.is(bareKey(text), theirs.bare().toString());
      assert.is(resourceOf(text), theirs.getResource());
      assert.is(splitJid(bareOf(text)).domain.toLowerCase(), theirs.getDomain());
    }),
  );
});

test('ltx reads back what is built here, whatever the text and the addresses', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, id) => {
      // Neither side has to carry what XML cannot; ltx keeps line ends as they are written.
      fc.pre(!/[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(text + id));
      const stanza = parseStanza(`<iq type='get' to='a@b' from='c@d/e' id='${escapeXml(id)}'><q xmlns='urn:x'/></iq>`);
      const reply = parse(stanzaError(stanza, { type: 'modify', condition: 'bad-request', text }));
      assert.is(reply.attrs.id, id);
      assert.is(reply.getChild('error')?.getChildText('text') ?? '', text);
    }),
  );
});

test.run();
