/** What the room was last sent of the account (L6), as a home knows it that has taken over from another: it is not sent again. */
import { passageOf, renamed, unfinishedOf } from '../../proxy/core/passage.ts';
import type { CarrierId, Occupancy, SessionId } from '../../proxy/core/state.ts';
import { noteShown } from '../../proxy/core/watch.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM, World } from './world.ts';

const test = suite('what the room was sent');

const NO_AVATAR = `<x xmlns='${NS.vcardUpdate}'><photo/></x>`;

/** What the room shows of the account. */
function shows(content: string, attributes = ''): ReturnType<typeof parseStanza> {
  return parseStanza(
    `<presence ${attributes} from='${ROOM}/alice' to='a@b/c'>${content}<x xmlns='${NS.mucUser}'><item affiliation='none' role='participant'/>` +
      "<status code='110'/></x></presence>",
  );
}

/** A session that has joined with `said`, and sleeps, comes to another home with all that is known of its room; then it is resumed. Returns what is sent. */
function comesOver(said: string, alter: (room: Occupancy) => void): string[] {
  const before = new World();
  const id = before.bind();
  before.client(id).place = 'asking';
  before.send(id, `<presence id='j' to='${ROOM}/alice'>${said}<x xmlns='${NS.muc}'/></presence>`);
  before.settle();
  const found = passageOf(before.state, id, unfinishedOf(before.state, id));
  if (!found) throw new Error('no passage');
  const passage = renamed(found, 's9' as SessionId, 'c9' as CarrierId);
  for (const room of passage.rooms) alter(room);
  const after = new World();
  const { session, carrier, rooms: watched } = passage;
  after.input({ kind: 'arrive', arrival: { sessions: [session], carriers: [carrier], watched, known: [] } });
  after.input({ kind: 'session-awakes', session: session.id });
  return after.sent.map(({ stanza }) => stanza.bytes.toString());
}

/** As a home would know it that has not sent it itself. */
const byItself =
  (self: ReturnType<typeof parseStanza>) =>
  (room: Occupancy): void => {
    Object.assign(room, { self, shown: undefined });
  };

test('where the server has added to it that is not taken for a change', () => {
  for (const added of ['', NO_AVATAR, `<x xmlns='${NS.vcardUpdate}'><photo>abc</photo></x>`]) {
    assert.equal(
      comesOver('', (room) => void Object.assign(room, { self: shows(added) })),
      [],
    );
    assert.equal(comesOver('', byItself(shows(added))), []);
    assert.equal(comesOver('<show>away</show>', byItself(shows(`<show>away</show>${added}`))), []);
  }
});

test('nor is it where the server writes the same in another way', () => {
  const caps = `<c xmlns='http://jabber.org/protocol/caps' ver="&gt;&apos;" hash='sha-1'><d>a&#xe9;</d></c>`;
  const again = `<y:c xmlns:y='http://jabber.org/protocol/caps' hash="sha-1" ver='>&#39;'><y:d>aé</y:d></y:c>`;
  assert.equal(comesOver(`<show>dnd</show>${caps}`, byItself(shows(`${again}<show>dnd</show>`))), []);
});

test('what the room shows otherwise is put right, once', () => {
  const cases = [
    { said: '', self: shows('<show>away</show>'), sent: '' },
    { said: '<show>away</show>', self: shows(''), sent: '<show>away</show>' },
    { said: '<show>away</show>', self: shows(`<status>here</status>${NO_AVATAR}`), sent: '<show>away</show>' },
    { said: NO_AVATAR, self: shows(`<x xmlns='${NS.vcardUpdate}'><photo>abc</photo></x>`), sent: NO_AVATAR },
    { said: '<status>a</status>', self: shows('<status>b</status>'), sent: '<status>a</status>' },
  ];
  for (const { said, self, sent } of cases) {
    const [first = '', ...more] = comesOver(said, byItself(self));
    assert.match(first, `to='${ROOM}/alice'>${sent}</presence>`);
    assert.equal(more, []);
  }
});

test('what another home has sent meanwhile is not known by what this one had sent before', () => {
  const sent = comesOver('', (room) => noteShown(room, shows('<show>away</show>'), 0));
  assert.is(sent.length, 1);
});

test.run();
