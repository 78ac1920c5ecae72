/** Bookmarks as they are read from the wire (XEP-0402, XEP-0048), whatever a device has put there. */
import fc from 'fast-check';
import {
  type BookmarkSource,
  changesBookmarks,
  isBookmarkEvent,
  MOST_BOOKMARKS,
  readBookmarks,
} from '../../proxy/core/bookmarks.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { escapeXml } from '../../proxy/xml/text.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('bookmarks');

const PUBSUB = 'http://jabber.org/protocol/pubsub';
const NODE = 'urn:xmpp:bookmarks:1';

const wrapped: Record<BookmarkSource, (inner: string) => string> = {
  pep: (inner) => `<iq type='result'><pubsub xmlns='${PUBSUB}'><items node='${NODE}'>${inner}</items></pubsub></iq>`,
  private: (inner) =>
    `<iq type='result'><query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>${inner}</storage></query></iq>`,
};

/** One bookmark, in the form of each place. */
const form: Record<BookmarkSource, (jid: string, attributes: string, inner: string) => string> = {
  pep: (jid, attributes, inner) =>
    `<item id='${escapeXml(jid)}'><conference xmlns='${NODE}' ${attributes}>${inner}</conference></item>`,
  private: (jid, attributes, inner) => `<conference jid='${escapeXml(jid)}' ${attributes}>${inner}</conference>`,
};

function read(source: BookmarkSource, inner: string): unknown {
  const list = readBookmarks(source, parseStanza(wrapped[source](inner)));
  return list && Object.fromEntries(list);
}

const plain = { name: 'a@muc.test', nick: undefined, password: undefined, autojoin: false };

for (const source of ['pep', 'private'] as const) {
  const one = (jid: string, attributes = '', inner = ''): unknown => read(source, form[source](jid, attributes, inner));

  const cases: readonly [string, unknown, unknown][] = [
    ['no bookmarks', read(source, ''), {}],
    ['a bare one', one('a@muc.test'), { 'a@muc.test': plain }],
    ['autojoin as a word', one('a@muc.test', `autojoin='true'`), { 'a@muc.test': { ...plain, autojoin: true } }],
    ['autojoin as a digit', one('a@muc.test', `autojoin='1'`), { 'a@muc.test': { ...plain, autojoin: true } }],
    ['autojoin off', one('a@muc.test', `autojoin='0'`), { 'a@muc.test': plain }],
    ['autojoin in words that XML does not know', one('a@muc.test', `autojoin='TRUE'`), { 'a@muc.test': plain }],
    [
      'nick and password',
      one('a@muc.test', '', '<nick> al </nick><password> x&amp;y </password>'),
      { 'a@muc.test': { ...plain, nick: 'al', password: ' x&y ' } },
    ],
    ['an empty nick is none', one('a@muc.test', '', '<nick/>'), { 'a@muc.test': plain }],
    ['a nick that is too long', one('a@muc.test', '', `<nick>${'n'.repeat(1024)}</nick>`), { 'a@muc.test': plain }],
    [
      'a password that is too long',
      one('a@muc.test', '', `<password>${'p'.repeat(1024)}</password>`),
      { 'a@muc.test': plain },
    ],
    ['an address in capitals', one('A@MUC.test'), { 'a@muc.test': { ...plain, name: 'A@MUC.test' } }],
    ['no room but a service', one('muc.test', `autojoin='true'`), {}],
    ['an occupant', one('a@muc.test/al', `autojoin='true'`), {}],
    ['no address', one(''), {}],
    ['an address that is none', one('a@@muc.test'), {}],
  ];
  for (const [what, found, wanted] of cases) test(`${source}: ${what}`, () => assert.equal(found, wanted));

  test(`${source}: what is not such a list`, () => {
    for (const xml of [
      '<iq/>',
      `<iq><pubsub xmlns='${PUBSUB}'/></iq>`,
      `<iq><query xmlns='jabber:iq:private'/></iq>`,
    ]) {
      assert.is(readBookmarks(source, parseStanza(xml)), undefined);
    }
    const other = `<iq><pubsub xmlns='${PUBSUB}'><items node='urn:xmpp:other'/></pubsub></iq>`;
    assert.is(readBookmarks(source, parseStanza(other)), undefined);
  });

  test(`${source}: more rooms than may be are passed over, and the first ones stay`, () => {
    let inner = '';
    for (let count = 0; count <= MOST_BOOKMARKS + 10; count += 1) inner += form[source](`r${count}@muc.test`, '', '');
    const list = readBookmarks(source, parseStanza(wrapped[source](inner)));
    assert.is(list?.size, MOST_BOOKMARKS);
    assert.is(list?.has('r0@muc.test' as never), true);
  });

  test(`${source}: whatever text a bookmark holds is read or passed over`, () => {
    // No control characters: the framer lets none in.
    const text = fc.string({ unit: 'grapheme' }).map((one) => one.replace(/[^\P{C}\u200d]/gu, ''));
    fc.assert(
      fc.property(text, text, text, fc.boolean(), (jid, nick, password, autojoin) => {
        const inner = `<nick>${escapeXml(nick)}</nick><password>${escapeXml(password)}</password>`;
        const xml = wrapped[source](form[source](jid, `autojoin='${autojoin}'`, inner));
        const list = readBookmarks(source, parseStanza(xml)) ?? new Map();
        assert.ok(list.size <= 1);
        for (const mark of list.values()) {
          assert.is(mark.autojoin, autojoin);
          assert.is(mark.password, password);
          assert.is(mark.nick ?? '', mark.nick === undefined ? '' : nick.trim());
        }
      }),
      { numRuns: 200 },
    );
  });
}

const set = (inner: string): string => `<iq type='set' id='1'>${inner}</iq>`;

const requests: readonly [string, boolean, string][] = [
  [
    'a published bookmark',
    true,
    `<pubsub xmlns='${PUBSUB}'><publish node='${NODE}'><item id='a@muc.test'/></publish></pubsub>`,
  ],
  [
    'a retracted one',
    true,
    `<pubsub xmlns='${PUBSUB}'><retract node='${NODE}'><item id='a@muc.test'/></retract></pubsub>`,
  ],
  ['a deleted node', true, `<pubsub xmlns='${PUBSUB}#owner'><delete node='${NODE}'/></pubsub>`],
  ['a purged node', true, `<pubsub xmlns='${PUBSUB}#owner'><purge node='${NODE}'/></pubsub>`],
  ['the older list in PEP', true, `<pubsub xmlns='${PUBSUB}'><publish node='storage:bookmarks'/></pubsub>`],
  ['the older list', true, `<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>`],
  ['a mood', false, `<pubsub xmlns='${PUBSUB}'><publish node='http://jabber.org/protocol/mood'/></pubsub>`],
  ['other private data', false, `<query xmlns='jabber:iq:private'><notes xmlns='storage:rosternotes'/></query>`],
  ['a roster entry', false, `<query xmlns='jabber:iq:roster'><item jid='storage:bookmarks'/></query>`],
  ['nothing', false, ''],
];
for (const [what, changes, inner] of requests) {
  test(`a request that ${changes ? 'changes' : 'leaves'} the list: ${what}`, () => {
    assert.is(changesBookmarks(parseStanza(set(inner))), changes);
  });
}

const events: readonly [string, boolean, string][] = [
  ['an item', true, `<event xmlns='${PUBSUB}#event'><items node='${NODE}'><item id='a@muc.test'/></items></event>`],
  [
    'a retraction',
    true,
    `<event xmlns='${PUBSUB}#event'><items node='${NODE}'><retract id='a@muc.test'/></items></event>`,
  ],
  ['a purge', true, `<event xmlns='${PUBSUB}#event'><purge node='${NODE}'/></event>`],
  ['the older list', true, `<event xmlns='${PUBSUB}#event'><items node='storage:bookmarks'/></event>`],
  ['another node', false, `<event xmlns='${PUBSUB}#event'><items node='urn:xmpp:bookmarks:2'/></event>`],
  ['talk of bookmarks', false, `<body>${NODE}</body>`],
  ['no event', false, `<x xmlns='${PUBSUB}'><items node='${NODE}'/></x>`],
];
for (const [what, tells, inner] of events) {
  test(`a message that tells ${tells ? 'of a change' : 'of none'}: ${what}`, () => {
    assert.is(isBookmarkEvent(parseStanza(`<message type='headline'>${inner}</message>`)), tells);
  });
}

test.run();
