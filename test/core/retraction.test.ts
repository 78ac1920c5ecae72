/** What is taken back in a stanza log (M7): whose word counts, and what stays. */
import fc from 'fast-check';
import { entryContentKey, entryStanza } from '../../proxy/core/log-entry.ts';
import { contentKey } from '../../proxy/core/message-key.ts';
import { retractionOf } from '../../proxy/core/retraction.ts';
import { StanzaLog } from '../../proxy/core/stanza-log.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { escapeXml } from '../../proxy/xml/text.ts';
import { assert, suite } from '../support/suite.ts';
import { ROOM } from './world.ts';

const test = suite('what is taken back');
const limits = { stanzas: 50, ageMs: Number.POSITIVE_INFINITY, bytes: 1 << 20 };
const retract = (id: string): string => `<retract xmlns='${NS.retract}' id='${escapeXml(id)}'/>`;
const occupant = (id: string): string => `<occupant-id xmlns='${NS.occupantId}' id='${id}'/>`;
const stanzaId = (id: string): string => `<stanza-id xmlns='${NS.stanzaId}' by='${ROOM}' id='${escapeXml(id)}'/>`;

function message(nick: string, id: string | undefined, inner: string) {
  const name = id === undefined ? '' : ` id='${escapeXml(id)}'`;
  const from = nick === '' ? ROOM : `${ROOM}/${nick}`;
  return parseStanza(`<message type='groupchat' from='${from}' to='a@test/r'${name}>${inner}</message>`);
}

function bodies(log: StanzaLog): (string | undefined)[] {
  return log.entries(1).map((entry) => entryStanza(entry).root.child('body')?.text());
}

test('each entry is read once, whatever is looked for', () => {
  const log = new StanzaLog({ ...limits, stanzas: 1000 });
  for (let number = 0; number < 1000; number += 1) log.add(message('bob', `m${number}`, '<body>m</body>'), 1);
  log.add(message('eve', 'r', retract('m')), 1);
  const before = log.entries(1).map(({ names }) => names);
  assert.is(before.filter((names) => names !== undefined).length, 999);
  log.add(message('eve', 's', retract('nothing of the kind m')), 1);
  assert.is(log.entries(1)[0]?.names, before[1]);
});

test('whether a message was there before is asked of each text once, however often messages come that say they were', () => {
  const log = new StanzaLog({ ...limits, stanzas: 500 });
  for (let number = 0; number < 500; number += 1) log.add(message('bob', `m${number}`, '<body>m</body>'), 1);
  assert.not.ok(log.wasAdded(message('bob', 'other', '<body>m</body>'), 1));
  // A text that is read again now is none.
  for (const { text } of log.entries(1)) text.fill(0);
  assert.ok(log.wasAdded(message('bob', 'm0', '<body>m</body>'), 1));
  assert.not.ok(log.wasAdded(message('bob', 'another', '<body>m</body>'), 1));
});

test('who gives up a nick has said what was said under it', () => {
  const log = new StanzaLog(limits);
  log.add(message('bob', '1', '<body>one</body>'), 1);
  log.free(`${ROOM}/bob`);
  log.add(message('bob', '2', retract('1')), 1);
  assert.equal(bodies(log), ['one', undefined]);
});

test('who may take what back', () => {
  const old = (inner: string): string => `<apply-to xmlns='${NS.fasten}' id='sid'>${inner}</apply-to>`;
  const oldRetract = `<retract xmlns='${NS.retractOld}'/>`;
  const moderated = `<moderated xmlns='${NS.moderate}' by='${ROOM}/m'/>`;
  const oldModerated = `<moderated xmlns='${NS.moderateOld}' by='${ROOM}/m'>${oldRetract}</moderated>`;
  const cases: [what: string, nick: string, said: string, retraction: string, isGone: boolean][] = [
    ['by id', 'bob', '', retract('1'), true],
    ['by the room’s id', 'bob', stanzaId('sid'), retract('sid'), true],
    ['by origin id', 'bob', `<origin-id xmlns='${NS.stanzaId}' id='o'/>`, retract('o'), true],
    ['as it was said before', 'bob', stanzaId('sid'), old(oldRetract), true],
    ['another message', 'bob', stanzaId('sid'), retract('2'), false],
    ['nothing', 'bob', '', retract(''), false],
    ['another occupant', 'eve', stanzaId('sid'), retract('sid'), false],
    ['of the same occupant id', 'bobby', stanzaId('sid') + occupant('x'), retract('sid') + occupant('x'), true],
    ['of another one under the nick', 'bob', stanzaId('sid') + occupant('x'), retract('sid') + occupant('y'), false],
    ['of none', 'bob', stanzaId('sid') + occupant('x'), retract('sid'), false],
    ['the room', '', stanzaId('sid'), `<retract xmlns='${NS.retract}' id='sid'>${moderated}</retract>`, true],
    ['the room, as it was said before', '', stanzaId('sid'), old(oldModerated), true],
    ['the room by a sender’s id', '', '', `<retract xmlns='${NS.retract}' id='1'>${moderated}</retract>`, false],
    ['the room for nobody', '', stanzaId('sid'), retract('sid'), false],
    [
      'who plays the room',
      'eve',
      stanzaId('sid'),
      `<retract xmlns='${NS.retract}' id='sid'>${moderated}</retract>`,
      false,
    ],
    ['who plays it for himself', 'bob', stanzaId('sid'), old(oldModerated), false],
    ['something else fastened', 'bob', stanzaId('sid'), old("<external xmlns='urn:x'/>"), false],
  ];
  for (const [what, nick, said, retraction, isGone] of cases) {
    const log = new StanzaLog(limits);
    log.add(message('bob', '1', `<body>secret</body>${said}`), 0);
    log.add(message(nick, '9', retraction), 0);
    assert.equal(bodies(log), [isGone ? undefined : 'secret', undefined], what);
  }
});

test('what is left says who, when and why, is found again as what it was, and counts as long as it is', () => {
  const log = new StanzaLog(limits);
  const said = message('bob', '1', `<body>secret</body>${occupant('x')}<x xmlns='jabber:x:oob'><url>secret</url></x>`);
  log.add(said, 0);
  log.add(message('bob', '2', retract('1') + occupant('x')), 86_400_000);
  const entry = log.entries(86_400_000)[0];
  assert.ok(entry);
  const text = entry.text.toString();
  assert.not.match(text, 'secret');
  assert.not.match(JSON.stringify(entry.keys), 'secret');
  assert.match(text, occupant('x'));
  assert.match(text, `<retracted xmlns='${NS.retract}' stamp='1970-01-02T00:00:00.000Z' id='2'></retracted>`);
  assert.is(entryContentKey(entry), contentKey(said));
  assert.ok(log.wasAdded(said, 0));
  assert.equal(
    log.takeRewritten().map(({ place }) => place),
    [0],
  );
  assert.equal(log.takeRewritten(), []);
});

test('a nick that was given up is another occupant’s, where the room tells them apart by nothing else', () => {
  const log = new StanzaLog(limits);
  log.add(message('bob', '1', '<body>old</body>'), 0);
  log.free(`${ROOM}/bob`);
  log.add(message('bob', '2', '<body>new</body>'), 0);
  for (const id of ['1', '2']) log.add(message('bob', `r${id}`, retract(id)), 0);
  assert.equal(bodies(log).slice(0, 2), ['old', undefined]);
  for (let index = 0; index < 1500; index += 1) log.free(`${ROOM}/n${index}`);
  log.add(message('bob', '3', '<body>newest</body>'), 0);
  for (const id of ['1', '3']) log.add(message('bob', `r${id}`, retract(id)), 0);
  assert.equal(bodies(log).filter(Boolean), ['old']);
});

test('who has a nick need not be who had it before the account came; what was said since is known', () => {
  const log = new StanzaLog(limits);
  log.add(message('bob', '1', '<body>old</body>'), 0);
  log.add(message('bob', '2', '<body>new</body>'), 0);
  log.freeAll(1);
  for (const id of ['1', '2']) log.add(message('bob', `r${id}`, retract(id)), 0);
  assert.equal(bodies(log).slice(0, 2), ['old', undefined]);
});

test('what was heard before is taken back by what the room has told since, of the same occupant', () => {
  const before = new StanzaLog(limits);
  before.add(message('bob', '1', `<body>secret</body>${occupant('x')}`), 0);
  before.add(message('bob', '2', '<body>of whoever was bob</body>'), 0);
  before.add(message('bob', '3', `<body>shared</body>${occupant('x')}`), 0);
  const log = new StanzaLog(limits);
  log.add(message('bob', '3', `<body>shared</body>${occupant('x')}`), 0);
  log.add(message('bobby', 'r1', retract('1') + occupant('x')), 0);
  log.add(message('bob', 'r2', retract('2')), 0);
  log.freeAll();
  log.precede(before.entries(1), 1, () => false);
  assert.equal(bodies(log), [undefined, 'of whoever was bob', 'shared', undefined, undefined]);
});

test('one message corrected a thousand times and taken back costs no more than reading the log twice', () => {
  const log = new StanzaLog({ ...limits, stanzas: 2000 });
  log.add(message('bob', '1', '<body>secret</body>'), 0);
  for (let index = 0; index < 1000; index += 1) {
    log.add(message('bob', `c${index}`, `<body>secret ${index}</body><replace xmlns='${NS.correct}' id='1'/>`), 0);
  }
  const started = performance.now();
  log.add(message('bob', 'r', retract('1')), 0);
  assert.ok(performance.now() - started < 2000);
  assert.equal(bodies(log).filter(Boolean), []);
});

/** One thing that happens: who, what, and on which earlier message. */
const happening = fc.record({
  nick: fc.constantFrom('a', 'b'),
  kind: fc.constantFrom('say', 'say', 'correct', 'retract', 'free'),
  which: fc.nat(11),
  isByRoomId: fc.boolean(),
});

test('as a naive reading of the same happenings has it, bounds and odd ids included', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), fc.array(happening, { maxLength: 30 }), (hasOccupantIds, isOdd, all) => {
      const log = new StanzaLog({ ...limits, stanzas: 8 });
      /** All that was ever said; `holder` tells people under one nick apart. */
      const said: { id: string; holder: string; corrects?: string; body: string | undefined }[] = [];
      const holders = new Map([
        ['a', 0],
        ['b', 0],
      ]);
      for (const { nick, kind, which, isByRoomId } of all) {
        if (kind === 'free') {
          holders.set(nick, (holders.get(nick) ?? 0) + 1);
          log.free(`${ROOM}/${nick}`);
          continue;
        }
        const id = isOdd ? `<&'${said.length}'>` : `m${said.length}x`;
        const holder = `${nick}${holders.get(nick)}`;
        const target = said[which];
        const body = kind === 'retract' ? undefined : `body ${said.length}`;
        let inner = (body === undefined ? '' : `<body>${body}</body>`) + stanzaId(`s${id}`);
        if (hasOccupantIds) inner += occupant(holder);
        const lived = said.length - 8;
        if (kind === 'correct' && target) inner += `<replace xmlns='${NS.correct}' id='${escapeXml(target.id)}'/>`;
        if (kind === 'retract' && target) {
          inner += retract(isByRoomId ? `s${target.id}` : target.id);
          if (which >= lived && target.holder === holder) {
            target.body = undefined;
            for (const [index, one] of said.entries()) {
              if (index >= lived && one.corrects === target.id && one.holder === holder) one.body = undefined;
            }
            const asWhole = target;
            delete asWhole.corrects;
          }
        }
        log.add(message(nick, id, inner), 0);
        said.push({ id, holder, body, ...(kind === 'correct' && target ? { corrects: target.id } : {}) });
      }
      assert.equal(
        bodies(log),
        said.slice(-8).map(({ body }) => body),
      );
    }),
    { numRuns: 500 },
  );
});

test('what is no retraction costs nothing more', () => {
  assert.is(retractionOf(message('bob', '1', '<body>hello</body>')), undefined);
});

test.run();
