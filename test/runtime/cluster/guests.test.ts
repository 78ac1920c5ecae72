/** The nodes that have sessions of an account, as its home sees them: each session is in one place, and gone with its node. */
import type { Input } from '../../../proxy/core/inputs.ts';
import { Services } from '../../../proxy/core/services.ts';
import { type CarrierId, createAccountState, type SessionId } from '../../../proxy/core/state.ts';
import { Guests } from '../../../proxy/runtime/cluster/guests.ts';
import { BARE, settings } from '../../core/world.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('nodes with sessions of an account');

const session = 's' as SessionId;
const carrier = 'c' as CarrierId;

function stage() {
  const inputs: Input[] = [];
  const guests = new Guests({
    account: BARE,
    epoch: 1,
    state: createAccountState(BARE, 'prefix-', settings, new Services()),
    send: () => {},
    input: (input) => void inputs.push(input),
    arrive: (guest) => guests.place(guest, session, carrier),
    hasCredentials: () => false,
    now: () => 0,
    mustWait: () => false,
    onTurn: () => {},
  });
  const attach = (node: string, channel: string): void =>
    guests.attach(node, { kind: 'attach', account: BARE, channel, seen: 0, knows: true }, Buffer.alloc(0));
  return { guests, inputs, attach };
}

test('sessions of a node that is lost are gone', () => {
  const { guests, inputs, attach } = stage();
  attach('node', 'channel');
  assert.is(guests.sessionCount, 1);
  guests.lost('node');
  assert.is(guests.sessionCount, 0);
  assert.equal(inputs, [
    { kind: 'carrier-lost', carrier },
    { kind: 'session-gone', session },
  ]);
});

test('a node that comes back under another id has its sessions there, once, and the old id takes none of them with it', () => {
  const { guests, inputs, attach } = stage();
  attach('node', 'channel');
  attach('node under another id', 'another channel');
  assert.is(guests.sessionCount, 1);
  guests.lost('node');
  assert.equal(inputs, []);
  assert.is(guests.sessionCount, 1);
  guests.lost('node under another id');
  assert.is(guests.sessionCount, 0);
});

test.run();
