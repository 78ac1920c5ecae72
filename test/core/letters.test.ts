/** Letters for an account's next session that an earlier home has kept in the store: none is lost on the way to the next one (L3, C4). */
import type { LogEntry } from '../../proxy/core/log-entry.ts';
import { fromPortable, toPortable } from '../../proxy/core/portable.ts';
import type { SessionId } from '../../proxy/core/state.ts';
import type { BareKey } from '../../proxy/xml/address.ts';
import { USUAL_DECLARATIONS } from '../../proxy/xml/declarations.ts';
import { assert, suite } from '../support/suite.ts';
import { BARE, ROOM, World } from './world.ts';

const test = suite('letters of an earlier home');

const count = (world: World, kind: string): number => world.counted.filter((effect) => effect.kind === kind).length;

function letter(id: string): LogEntry {
  const text = Buffer.from(`<message type='chat' from='bob@test/x' id='${id}'><body>${id}</body></message>`);
  return { text, source: USUAL_DECLARATIONS, at: 0, heardAt: 0, delayed: false };
}

const lettersTo = (world: World, session: SessionId): (string | undefined)[] =>
  world
    .client(session)
    .told.filter(({ from }) => from === 'bob@test/x')
    .map(({ id }) => id);

/** The account comes to be at home elsewhere, as it is. */
function moveHouse(world: World): void {
  const texts: Buffer[] = [];
  const put = (text: Buffer): number => texts.push(Buffer.from(text)) - 1;
  const written = JSON.stringify(toPortable(world.state, { put }, world.now));
  const { bare, settings, services } = world.state;
  const get = (ref: number): Buffer => texts[ref] ?? Buffer.alloc(0);
  Object.assign(world, { state: fromPortable(JSON.parse(written), { get }, { bare, settings, services }) });
  world.input({ kind: 'record' });
}

test('those that a home has asked for when it moves are asked for by the next one, until they have come', () => {
  const world = new World({ settings: { keepsLogs: true } });
  const desk = world.bind();
  assert.is(count(world, 'read-letters'), 1);
  moveHouse(world);
  assert.is(count(world, 'read-letters'), 2);
  world.input({ kind: 'letters-read', letters: [letter('one')] });
  assert.equal(lettersTo(world, desk), ['one']);
  moveHouse(world);
  assert.is(count(world, 'read-letters'), 2);
});

test('more of them than are taken now stay, whatever comes behind them', () => {
  const world = new World({ settings: { keepsLogs: true } });
  const desk = world.bind();
  const { carrier } = world.client(desk);
  world.join(desk);
  world.input({ kind: 'log-read', room: ROOM as BareKey, entries: [], kept: [] });
  world.settle();
  world.park(desk);
  world.settle();
  const write = (id: string, content: string): void =>
    world.arrives(carrier, `<message type='chat' from='bob@test/x' to='${BARE}/r1' id='${id}'>${content}</message>`);
  const own = Array.from({ length: 100 }, (_, index) => `m${index}`);
  for (const id of own) write(id, `<body>${id}</body>`);
  const earlier = Array.from({ length: 60 }, (_, index) => `e${index}`);
  world.input({ kind: 'letters-read', letters: earlier.map(letter) });
  write('receipt', `<received xmlns='urn:xmpp:receipts' id='x'/>`);
  const full = world.counted.filter((effect) => effect.kind === 'drop' && effect.reason === 'letters-full');
  assert.is(full.length, 1);
  assert.equal(lettersTo(world, world.bind()), [...earlier, ...own]);
});

test.run();
