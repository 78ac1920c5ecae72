/** What the account asks of its user's bookmarks, whom it believes, and what it does about them (core/rules/bookmarks.ts and others). */
import type { CarrierId, SessionId, Settings } from '../../proxy/core/state.ts';
import { NS } from '../../proxy/xml/names.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, OTHER, ROOM, World } from './world.ts';

const test = suite('rules of bookmarks');

interface Mark {
  readonly room?: string;
  readonly autojoin?: boolean;
  readonly nick?: string;
}

function items(...marks: Mark[]): string {
  const all = marks.map(({ room = ROOM, autojoin = true, nick }) => {
    const name = nick === undefined ? '' : `<nick>${nick}</nick>`;
    return `<item id='${room}'><conference xmlns='${NS.bookmarks}' autojoin='${autojoin}'>${name}</conference></item>`;
  });
  return `<pubsub xmlns='${NS.pubsub}'><items node='${NS.bookmarks}'>${all.join('')}</items></pubsub>`;
}

const stored = `<query xmlns='${NS.privateStorage}'><storage xmlns='${NS.storedBookmarks}'><conference jid='${ROOM}' autojoin='1'/></storage></query>`;

class Stage extends World {
  constructor({ autojoin = false, ...more }: { autojoin?: boolean } & Partial<Settings> = {}) {
    super({ settings: { bookmarks: { autojoin, pollMs: 600_000, exclude: ['no.test', OTHER] }, ...more } });
  }

  /** Questions that have gone to the own account: through which stream, and where the list was looked for. */
  get asked(): { id: string; through: CarrierId; where: string }[] {
    return this.sent
      .filter(({ stanza }) => stanza.name === 'iq' && stanza.to === undefined)
      .map(({ carrier, stanza }) => ({
        id: stanza.id ?? '',
        through: carrier,
        where: stanza.root.children[0]?.ns === NS.pubsub ? 'pep' : 'private',
      }));
  }

  /** The server answers the last question. */
  answer(
    inner: string,
    { from = ` from='${BARE}'`, type = 'result', through = this.asked.at(-1)?.through } = {},
  ): void {
    const id = this.asked.at(-1)?.id;
    this.arrives(through as CarrierId, `<iq type='${type}' id='${id}'${from}>${inner}</iq>`);
    this.settle();
  }

  refuse(condition: string): void {
    this.answer(`<error type='cancel'><${condition} xmlns='${NS.stanzaErrors}'/></error>`, { type: 'error' });
  }

  /** The list is another now, as it is read after a session has shown a change. */
  changed(session: SessionId, ...marks: Mark[]): void {
    this.input({ kind: 'bookmarks-changed', session });
    this.fireOnly('bookmarks');
    this.answer(items(...marks));
  }

  /** Runs this timer out, and no other. */
  fireOnly(key: string): void {
    const at = this.timers.get(key);
    assert.ok(at !== undefined, `no timer ${key}`);
    this.now = Math.max(this.now, at ?? 0);
    this.timers.delete(key);
    this.input({ kind: 'timer', key });
    this.settle();
  }

  get phase(): string | undefined {
    return this.state.rooms.get(ROOM as never)?.phase;
  }

  get nick(): string | undefined {
    return this.state.rooms.get(ROOM as never)?.nick;
  }

  done(act: string): number {
    return this.counted.filter((effect) => effect.kind === 'bookmark-followed' && effect.act === act).length;
  }
}

/** One session that has joined the room, with these bookmarks. */
function joined(marks: Mark[], settings: ConstructorParameters<typeof Stage>[0] = {}) {
  const stage = new Stage(settings);
  const desk = stage.bind();
  stage.join(desk);
  stage.settle();
  stage.answer(items(...marks));
  return { stage, desk };
}

test('without autojoin the list is asked for once the account is in a room; with it, at once', () => {
  const stage = new Stage();
  const desk = stage.bind();
  assert.equal(stage.asked, []);
  stage.join(desk);
  stage.settle();
  assert.equal(
    stage.asked.map(({ where }) => where),
    ['pep'],
  );
  const eager = new Stage({ autojoin: true });
  eager.bind();
  assert.is(eager.asked.length, 1);
});

test('nothing is asked where bookmarks are not followed', () => {
  const stage = new Stage({ bookmarks: undefined });
  stage.join(stage.bind());
  stage.settle();
  assert.equal(stage.asked, []);
});

for (const condition of ['item-not-found', 'feature-not-implemented', 'service-unavailable']) {
  test(`PEP answers ${condition}: private storage is asked`, () => {
    const stage = new Stage();
    stage.join(stage.bind());
    stage.settle();
    stage.refuse(condition);
    assert.equal(
      stage.asked.map(({ where }) => where),
      ['pep', 'private'],
    );
    stage.answer(stored);
    assert.is(stage.state.bookmarks.known?.size, 1);
  });
}

test('trouble of a server whose PEP has had the list does not pass for an empty one', () => {
  for (const condition of ['internal-server-error', 'service-unavailable', 'resource-constraint']) {
    const { stage, desk } = joined([{}]);
    stage.input({ kind: 'bookmarks-changed', session: desk });
    stage.fireOnly('bookmarks');
    stage.refuse(condition);
    assert.is(stage.asked.length, 2);
    assert.is(stage.state.bookmarks.known?.size, 1);
    assert.is(stage.phase, 'joined');
  }
});

test('a list in PEP that begins where private storage had one tells of no change', () => {
  const stage = new Stage();
  const desk = stage.bind();
  stage.join(desk);
  stage.settle();
  stage.refuse('item-not-found');
  stage.answer(stored);
  stage.changed(desk, { room: 'first@far.test' });
  assert.equal([stage.phase, stage.done('leave')], ['joined', 0]);
  stage.changed(desk, {});
  stage.changed(desk);
  assert.equal([stage.phase, stage.done('leave')], ['ended', 1]);
});

test('of a list that is too long nothing is missing', () => {
  const { stage, desk } = joined([{}]);
  stage.changed(desk, ...Array.from({ length: 1000 }, (_, index) => ({ room: `r${index}@far.test`, autojoin: false })));
  assert.is(stage.phase, 'joined');
});

test('an event on the account stream makes the list be read anew, and goes to nobody', () => {
  const stage = new Stage();
  const desk = stage.bind();
  stage.input({ kind: 'credentials', known: true });
  stage.join(desk);
  stage.accountStream(true);
  stage.settle();
  stage.answer(items({}));
  const [stream] = [...stage.state.carriers.values()].filter(({ kind }) => kind === 'account-stream');
  assert.is(stage.asked.at(-1)?.through, stream?.id);
  const told = stage.client(desk).told.length;
  const event = (from: string): void => {
    const inner = `<event xmlns='${NS.pubsubEvent}'><items node='${NS.bookmarks}'/></event>`;
    stage.arrives(stream?.id as CarrierId, `<message from='${from}'>${inner}</message>`);
  };
  event(BARE);
  assert.equal([stage.state.bookmarks.isStale, stage.client(desk).told.length], [true, told]);
  stage.fireOnly('bookmarks');
  stage.answer(items({}));
  event('mallory@test');
  assert.is(stage.state.bookmarks.isStale, false);
});

test('an answer counts from the own account alone, and on the stream that has asked', () => {
  const stage = new Stage();
  const desk = stage.bind();
  const phone = stage.bind();
  stage.join(desk);
  stage.settle();
  stage.answer(items({}), { from: ` from='${ROOM}/bob'` });
  stage.answer(items({}), { from: ` from='mallory@test'` });
  stage.answer(items({}), { from: ` from='${BARE}/r9'` });
  stage.answer(items({}), { through: stage.client(phone).carrier });
  assert.is(stage.state.bookmarks.known, undefined);
  stage.answer(items({}), { from: '' });
  assert.is(stage.state.bookmarks.known?.size, 1);
  // As jabberd2 has it.
  const other = new Stage();
  const tablet = other.bind();
  other.join(tablet);
  other.settle();
  other.answer(items({}), { from: ` from='${other.client(tablet).jid}'` });
  assert.is(other.state.bookmarks.known?.size, 1);
});

test('a question whose stream is lost is put through another one; one that is not answered is given up', () => {
  const stage = new Stage();
  const desk = stage.bind();
  const phone = stage.bind();
  stage.join(phone);
  stage.settle();
  assert.is(stage.asked[0]?.through, stage.client(desk).carrier);
  stage.lose(desk);
  assert.is(stage.asked[1]?.through, stage.client(phone).carrier);
  stage.fireOnly('bookmarks-asked');
  assert.is(stage.state.bookmarks.asking, undefined);
  assert.ok(stage.timers.has('bookmarks'));
});

test('changes that follow one another are read once', () => {
  const { stage, desk } = joined([{}]);
  for (let count = 0; count < 20; count += 1) stage.input({ kind: 'bookmarks-changed', session: desk });
  stage.fireOnly('bookmarks');
  assert.is(stage.asked.length, 2);
  // One that comes before the answer makes one more reading.
  stage.input({ kind: 'bookmarks-changed', session: desk });
  stage.answer(items({}));
  stage.fireOnly('bookmarks');
  assert.is(stage.asked.length, 3);
});

test('an account that is in no room any more forgets the list: what changes meanwhile is no change', () => {
  const { stage, desk } = joined([{}], { leaveWhen: 'auto' });
  stage.changed(desk, { autojoin: false });
  assert.is(stage.phase, 'ended');
  stage.fireOnly('bookmarks');
  assert.is(stage.state.bookmarks.known, undefined);
});

test('a room is joined once, in the name of nobody, and left to the sessions that come', () => {
  const stage = new Stage({ autojoin: true });
  const desk = stage.bind();
  stage.answer(items({ nick: 'al' }, { room: OTHER }, { room: 'x@no.test' }));
  assert.is(stage.phase, undefined);
  stage.fireOnly('autojoin');
  assert.equal([stage.phase, stage.nick, stage.room.witnessed], ['joined', 'al', '+']);
  assert.equal(stage.client(desk).told, []);
  // Services and rooms that are relayed only are left alone.
  assert.is(stage.state.rooms.size, 1);
  stage.join(desk, 'al');
  stage.settle();
  assert.equal([stage.client(desk).place, stage.room.witnessed], ['in', '+']);
});

test('a client that joins before it is done for it is answered, once', () => {
  const stage = new Stage({ autojoin: true });
  const desk = stage.bind();
  stage.answer(items({ nick: 'al' }));
  stage.join(desk);
  stage.settle();
  stage.fireOnly('autojoin');
  assert.is(stage.nick, 'alice');
  assert.equal([stage.client(desk).place, stage.room.witnessed, stage.done('join')], ['in', '+', 0]);
});

test('few rooms are joined at a time', () => {
  const stage = new Stage({ autojoin: true });
  stage.bind();
  const marks = Array.from({ length: 30 }, (_, index) => ({ room: `r${index}@far.test` }));
  stage.answer(items(...marks));
  stage.fireOnly('autojoin');
  assert.is(stage.state.rooms.size, 8);
  // These do not answer: the others' turn comes when that is given up.
  for (const key of [...stage.state.rooms.keys()]) stage.fireOnly(`join ${key}`);
  assert.ok(stage.done('join') > 8);
});

test('a join that a room refuses for good is not tried again before its bookmark changes, others are, less and less often', () => {
  const refusals: readonly [string, boolean][] = [
    [`type='auth'><forbidden`, false],
    [`type='cancel'><item-not-found`, false],
    [`type='wait'><service-unavailable`, true],
    [`type='cancel'><conflict`, true],
  ];
  for (const [error, isTried] of refusals) {
    const stage = new Stage({ autojoin: true });
    const desk = stage.bind();
    const far = 'r@far.test';
    stage.answer(items({ room: far }));
    stage.fireOnly('autojoin');
    const refuse = (): void => {
      const xml = `<presence type='error' from='${far}/alice'><error ${error} xmlns='${NS.stanzaErrors}'/></error></presence>`;
      stage.arrives(stage.client(desk).carrier, xml);
    };
    refuse();
    const [first] = [...stage.timers].filter(([key]) => key === `autojoin ${far}`).map(([, at]) => at - stage.now);
    assert.is(first !== undefined, isTried, error);
    if (!isTried) {
      stage.changed(desk, { room: far, autojoin: false });
      stage.changed(desk, { room: far });
      assert.is(stage.done('join'), 2);
      continue;
    }
    stage.fireOnly(`autojoin ${far}`);
    refuse();
    const second = (stage.timers.get(`autojoin ${far}`) ?? 0) - stage.now;
    assert.ok(second > (first ?? 0), `${second}`);
  }
});

test('the bookmark of a room that is no more is given up', () => {
  const stage = new Stage({ autojoin: true });
  const desk = stage.bind();
  const far = 'r@far.test';
  stage.answer(items({ room: far }));
  stage.fireOnly('autojoin');
  const carrier = stage.client(desk).carrier;
  const fence = stage.sent.findLast(({ stanza }) => stanza.to === far)?.stanza.id;
  const codes = `<status code='110'/><status code='201'/>`;
  stage.arrives(
    carrier,
    `<presence from='${far}/alice'><x xmlns='${NS.mucUser}'><item role='moderator'/>${codes}</x></presence>`,
  );
  stage.arrives(carrier, `<iq type='result' from='${far}' id='${fence}'/>`);
  const last = stage.sent.at(-1)?.stanza;
  assert.equal([last?.name, last?.type, last?.to], ['presence', 'unavailable', `${far}/alice`]);
});

test('who goes by its bookmark: by the policy', () => {
  const cases: readonly [Settings['leaveWhen'], boolean, string][] = [
    ['auto', true, 'ended'],
    ['auto', false, 'ended'],
    ['last-session', true, 'joined'],
    ['last-session', false, 'ended'],
    ['never', true, 'joined'],
    ['never', false, 'joined'],
  ];
  for (const [leaveWhen, isThere, phase] of cases) {
    const stage = new Stage({ leaveWhen, autojoin: true });
    const desk = stage.bind();
    stage.answer(items({ nick: 'alice' }));
    stage.fireOnly('autojoin');
    if (isThere) stage.join(desk);
    stage.settle();
    stage.changed(desk);
    assert.is(stage.phase, phase, `${leaveWhen} ${isThere}`);
    if (isThere) assert.is(stage.client(desk).place, phase === 'joined' ? 'in' : 'out');
  }
});

test('a bookmark that never had autojoin has no say', () => {
  const { stage, desk } = joined([{ autojoin: false }]);
  stage.changed(desk);
  assert.is(stage.phase, 'joined');
});

test('the last session leaves while the list is being read: what is read decides', () => {
  for (const autojoin of [true, false]) {
    const { stage, desk } = joined([{}], { graceMs: 0 });
    stage.input({ kind: 'bookmarks-changed', session: desk });
    stage.leave(desk);
    stage.settle();
    assert.is(stage.phase, 'joined');
    stage.fireOnly('bookmarks');
    stage.answer(items({ autojoin }));
    stage.settle();
    assert.is(stage.phase, autojoin ? 'joined' : 'ended');
    if (autojoin) stage.fireOnly(`grace ${ROOM}`);
    assert.is(stage.phase, autojoin ? 'joined' : 'ended');
  }
});

test('what the store is told of a room tells whether it is bookmarked with autojoin', () => {
  const { stage, desk } = joined([{}]);
  const last = () => stage.counted.findLast((effect) => effect.kind === 'store-occupancy');
  assert.is(last()?.bookmarked, true);
  stage.state.rooms.get(ROOM as never);
  const { stage: other, desk: phone } = joined([{ autojoin: false }]);
  const count = () => other.counted.filter((effect) => effect.kind === 'store-occupancy').length;
  const before = count();
  other.changed(phone, { autojoin: false });
  assert.is(count(), before);
  void desk;
});

test('a nick that changes renames the account, the same or a new bookmark does not', () => {
  const { stage, desk } = joined([{ nick: 'alice' }]);
  stage.changed(desk, { nick: 'alice' });
  stage.changed(desk, { nick: 'ally' });
  assert.equal([stage.nick, stage.done('rename')], ['ally', 1]);
  const { stage: other, desk: phone } = joined([]);
  other.changed(phone, { nick: 'ally' });
  assert.equal([other.nick, other.done('rename')], ['alice', 0]);
});

test('a storm of nicks is followed three times in ten minutes, then the nick at its end counts', () => {
  const { stage, desk } = joined([{ nick: 'alice' }]);
  for (let count = 0; count < 20; count += 1) stage.changed(desk, { nick: count % 2 ? 'odd' : 'even' });
  assert.equal([stage.nick, stage.done('rename')], ['even', 3]);
  stage.fireOnly(`rename ${ROOM}`);
  assert.equal([stage.nick, stage.done('rename')], ['odd', 4]);
});

test.run();
