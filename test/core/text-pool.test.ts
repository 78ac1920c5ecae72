/** Texts that accounts have in common. */
import { entryStanza } from '../../proxy/core/log-entry.ts';
import { StanzaLog } from '../../proxy/core/stanza-log.ts';
import { TextPool } from '../../proxy/core/text-pool.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('texts of several accounts');
const limits = { stanzas: 5, ageMs: Number.POSITIVE_INFINITY, bytes: 1 << 20 };

test('accounts that hear one message keep one text, without the address of either; of others each its own', () => {
  const texts = new TextPool();
  const hear = (to: string, body: string) => {
    const stanza = parseStanza(
      `<message to='${to}' type='groupchat' from='r@muc.test/bob' id='1'><body>${body}</body></message>`,
    );
    return new StanzaLog(limits).add(stanza, 0, { texts });
  };
  const [one, other] = [hear('a@test/r', 'same'), hear('bb@test/rr', 'same')];
  assert.ok(one.text === other.text);
  assert.is(entryStanza(one).to, undefined);
  const forged = hear('c@test/r', 'SAME');
  assert.ok(forged.text !== one.text);
  assert.is(entryStanza(forged).root.child('body')?.text(), 'SAME');
});

test('of all texts the last ones are known, bounded in number and bytes', () => {
  const texts = new TextPool();
  const first = texts.share('0', Buffer.from('text'));
  assert.ok(texts.share('0', Buffer.from('text')) === first);
  for (let index = 1; index <= 4000; index += 1) texts.share(`${index}`, Buffer.from('text'));
  const again = Buffer.from('text');
  assert.ok(texts.share('0', again) === again);
  const large = texts.share('large', Buffer.alloc(3 << 20));
  assert.ok(texts.share('large', Buffer.alloc(3 << 20)) === large);
  texts.share('larger', Buffer.alloc(3 << 20));
  const anew = Buffer.alloc(3 << 20);
  assert.ok(texts.share('large', anew) === anew);
});

test.run();
