import type { Face } from '../../proxy/core/face.ts';
import { Faces } from '../../proxy/runtime/faces.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('faces');

const STREAM = 'alice@localhost/minimix-rooms-1';
const MUC = 'http://jabber.org/protocol/muc';
const present: Face = { jid: "alice@localhost/o'desk", isIn: true };
const absent: Face = { jid: undefined, isIn: true };
const left: Face = { jid: undefined, isIn: false };

function play(): { faces: Faces; state: { face: Face; now: number }; show(xml: string, own?: string): string } {
  const state = { face: present, now: 1000 };
  const faces = new Faces(() => state.now);
  faces.enter(STREAM, () => state.face);
  const show = (xml: string, own = 'bob@localhost'): string => {
    const stanza = parseStanza(`${xml.slice(0, xml.indexOf(' '))} xmlns='jabber:client'${xml.slice(xml.indexOf(' '))}`);
    return faces.show(stanza, own).bytes.toString().replace(" xmlns='jabber:client'", '');
  };
  return { faces, state, show };
}

const item = (jid: string): string =>
  `<presence from='r@muc/al'><x xmlns='${MUC}#user'><item jid='${jid}' role='none'/></x></presence>`;

for (const [what, xml] of Object.entries({
  'an occupant': `<presence from='r@muc/al'><x xmlns='${MUC}#user'><item jid='@'/><status code='110'/></x></presence>`,
  'who did it': `<presence from='r@muc/bo'><x xmlns='${MUC}#user'><item jid='x@y/z'><actor jid='@'/></item></x></presence>`,
  'who invites': `<message from='r@muc'><x xmlns='${MUC}#user'><invite from='@'><reason>@@</reason></invite></x></message>`,
  'who asks for voice': `<message from='r@muc'><x xmlns='jabber:x:data'><field var='muc#jid'><value>@</value></field></x></message>`,
  'a list': `<iq from='r@muc' type='result'><query xmlns='${MUC}#admin'><item jid='@'/><item jid='x@y/z'/></query></iq>`,
})) {
  test(`${what} has the address of a device`, () => {
    const { show } = play();
    const given = xml
      .replaceAll('@@', 'word of minimix-rooms-1')
      .replaceAll("'@'", `'${STREAM}'`)
      .replaceAll('>@<', `>${STREAM}<`);
    const wanted = given.replace('<value>', "<value xmlns='jabber:x:data'>");
    assert.is(show(given), wanted.replaceAll(STREAM, 'alice@localhost/o&apos;desk'));
  });
}

test("a room's own words of an invitation name the device, and what the one who invites has written stays", () => {
  const { show } = play();
  const xml = (jid: string): string =>
    `<message from='r@muc'><x xmlns='${MUC}#user'><invite from='${jid}'/></x><body xml:lang='en'>${jid} invites you (&lt;${STREAM}&gt;)</body><body/></message>`;
  assert.is(show(xml(STREAM)), xml('alice@localhost/o&apos;desk'));
  const other = xml(STREAM).replace(`>${STREAM} invites`, `>Come: ${STREAM} invites`);
  assert.is(show(other), other.replace(`from='${STREAM}'`, "from='alice@localhost/o&apos;desk'"));
});

test('what is no address of a known stream stays as it came', () => {
  const { faces, show } = play();
  for (const xml of [
    item('alice@localhost/minimix-rooms-2'),
    item('alice@localhost/desk'),
    `<message from='r@muc/al'><body>${STREAM}</body></message>`,
    `<message from='r@muc/al'><x xmlns='urn:other'><item jid='${STREAM}'/></x></message>`,
    `<iq from='r@muc' type='result'><x xmlns='jabber:x:data'><field var='other'><value>${STREAM}</value></field></x></iq>`,
  ]) {
    assert.is(show(xml), xml);
  }
  const stanza = parseStanza(`<presence xmlns='jabber:client' from='r@muc/al'/>`);
  assert.is(faces.show(stanza, 'bob@localhost'), stanza);
});

test('whom a form names by a face is named by the stream, to that room', () => {
  const { faces, state } = play();
  const form = (jid: string, to = 'r@muc', name = 'muc#jid', value = '<value>'): string =>
    `<message xmlns='jabber:client' to='${to}'><x xmlns='jabber:x:data'><field var='${name}'>${value}${jid}</value></field></x></message>`;
  const hidden = (xml: string): string => faces.hide(parseStanza(xml)).bytes.toString();
  const desk = 'alice@localhost/o&apos;desk';
  assert.is(hidden(form(desk)), form(STREAM, 'r@muc', 'muc#jid', "<value xmlns='jabber:x:data'>"));
  for (const xml of [
    form('alice@localhost/phone'),
    form('carol@localhost/desk'),
    form(desk, ''),
    form(desk, 'r@muc', 'other'),
    `<message xmlns='jabber:client' to='r@muc'><body>muc#jid ${desk}</body></message>`,
  ]) {
    assert.is(hidden(xml), xml);
  }
  state.face = absent;
  assert.is(hidden(form(desk)), form(desk));
});

test('what is for occupants to read tells nobody who is there', () => {
  const { faces, show } = play();
  const form = `<x xmlns='jabber:x:data' type='submit'><field var='muc#jid'><value>${present.jid}</value></field></x>`;
  for (const attributes of ["type='groupchat' to='r@muc'", "type='chat' to='r@muc/eve'", "to='r@muc/eve'"]) {
    const sent = parseStanza(`<message xmlns='jabber:client' ${attributes}>${form}</message>`);
    assert.is(faces.hide(sent), sent);
  }
  const written = `<message from='r@muc/eve'>${form.replace(present.jid ?? '', STREAM)}</message>`;
  assert.is(show(written), written);
});

test("the account's own streams are for its own rules", () => {
  const { show } = play();
  assert.is(show(item(STREAM), 'Alice@localhost'), item(STREAM));
});

test('with no device in the room the stream itself is shown; who has left is named as before, for some time', () => {
  const { faces, state, show } = play();
  const desk = item('alice@localhost/o&apos;desk');
  state.face = left;
  assert.is(show(item(STREAM)), item(STREAM));
  state.face = present;
  assert.is(show(item(STREAM)), desk);
  state.face = absent;
  assert.is(show(item(STREAM)), item(STREAM));
  state.face = left;
  assert.is(show(item(STREAM)), desk);
  assert.is(show(item(STREAM).replace('r@muc', 's@muc')), item(STREAM).replace('r@muc', 's@muc'));
  faces.leave(STREAM);
  state.face = present;
  assert.is(show(item(STREAM)), desk);
  state.now += 10_001;
  faces.enter('x@y/minimix-rooms-3', () => absent);
  assert.is(show(item(STREAM)), item(STREAM));
});

test('of an account in very many rooms the oldest faces are forgotten', () => {
  const { state, show } = play();
  const at = (room: number): string => item(STREAM).replace('r@muc', `r${room}@muc`);
  for (let room = 0; room <= 1000; room++) show(at(room));
  state.face = left;
  assert.is(show(at(0)), at(0));
  assert.is.not(show(at(1)), at(1));
});

test('rooms are asked for by their key', () => {
  const faces = new Faces(() => 0);
  const asked: BareKey[] = [];
  faces.enter(STREAM, (room) => {
    asked.push(room);
    return present;
  });
  faces.show(
    parseStanza(item(STREAM).replace('r@muc', 'R@Muc').replace('<presence', "<presence xmlns='jabber:client'")),
    'bob@localhost',
  );
  assert.equal(asked, ['r@muc' as BareKey]);
});

test.run();
