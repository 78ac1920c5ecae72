import { HoldBack, urgencyOf } from '../../proxy/runtime/hold-back.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('what an inactive client may wait for');

const MUC = 'http://jabber.org/protocol/muc#user';

test('mentions, private messages, subjects, notices and own presences do not wait', () => {
  const urgent = [
    "<message type='groupchat' from='r@m/bob'><body>hey Alice, look</body></message>",
    "<message type='chat' from='r@m/bob'><body>psst</body></message>",
    "<message type='groupchat' from='r@m/bob'><subject>news</subject></message>",
    `<message type='groupchat' from='r@m'><x xmlns='${MUC}'><status code='172'/></x></message>`,
    `<presence from='r@m/alice'><x xmlns='${MUC}'><status code='110'/></x></presence>`,
    "<presence type='error' from='r@m/bob'/>",
    "<iq type='result' id='1' from='r@m'/>",
  ];
  for (const xml of urgent) assert.is(urgencyOf(parseStanza(xml), 'alice'), 'now', xml);
});

test('chatter and presence of others wait', () => {
  const chatter = "<message type='groupchat' from='r@m/bob'><body>lunch?</body></message>";
  assert.is(urgencyOf(parseStanza(chatter), 'alice'), 'later');
  for (const type of ['', " type='unavailable'"]) {
    const xml = `<presence${type} from='r@m/bob'><x xmlns='${MUC}'><item affiliation='none' role='none'/></x></presence>`;
    assert.is(urgencyOf(parseStanza(xml), 'alice'), 'presence');
  }
});

test('of an occupant only the last presence is kept, at the place of the last, and all else in order', () => {
  const held = new HoldBack();
  const add = (text: string, occupant?: string): void => held.add(Buffer.from(text), occupant);
  add('p1', 'r@m/bob');
  add('m1');
  add('p2', 'r@m/carol');
  add('p3', 'r@m/bob');
  add('m2');
  assert.equal(held.take().map(String), ['m1', 'p2', 'p3', 'm2']);
  assert.ok(held.isEmpty);
});

test('what waits is bounded in number and in bytes', () => {
  const many = new HoldBack();
  for (let count = 0; count < 499; count += 1) many.add(Buffer.from('x'), undefined);
  assert.not.ok(many.isFull);
  many.add(Buffer.from('x'), undefined);
  assert.ok(many.isFull);
  const large = new HoldBack();
  large.add(Buffer.alloc(256 * 1024), undefined);
  assert.ok(large.isFull);
});

test.run();
