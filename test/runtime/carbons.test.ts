import type { Carrier } from '../../proxy/core/state.ts';
import { isCarbonOfJoined } from '../../proxy/runtime/carbons.ts';
import { type BareKey, bareKey } from '../../proxy/xml/address.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('carbons of room traffic');
const BARE = 'alice@test';
const joined = new Set([bareKey('room@muc.test') as BareKey]);
const carriers = [{ jid: `${BARE}/carrier`, rooms: joined }] as unknown as Carrier[];

const isDropped = (kind: string, from: string, to: string, sender = BARE): boolean =>
  isCarbonOfJoined(
    parseStanza(
      `<message from='${sender}'><${kind} xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>` +
        `<message xmlns='${NS.client}' type='chat' from='${from}' to='${to}'><body>x</body></message></forwarded></${kind}></message>`,
    ),
    BARE,
    joined,
    carriers,
  );

test('what goes through a carrier is shown by the account, so its carbons are dropped', () => {
  assert.is(isDropped('sent', `${BARE}/carrier`, 'Room@muc.test/bob'), true);
  assert.is(isDropped('received', 'room@muc.test/bob', `${BARE}/carrier`), true);
});

test('carbons of what no carrier has sent, of other rooms and of contacts are kept', () => {
  assert.is(isDropped('sent', `${BARE}/direct`, 'room@muc.test/bob'), false);
  assert.is(isDropped('received', 'other@muc.test/bob', `${BARE}/carrier`), false);
  assert.is(isDropped('sent', `${BARE}/carrier`, 'bob@test'), false);
});

test('what others pretend to be a carbon is not touched', () => {
  assert.is(isDropped('received', 'room@muc.test/bob', `${BARE}/carrier`, 'mallory@test'), false);
});

test.run();
