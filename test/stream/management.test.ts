import fc from 'fast-check';
import { Inbound, WRAP } from '../../proxy/stream/management/inbound.ts';
import { Management } from '../../proxy/stream/management/management.ts';
import { Outbound } from '../../proxy/stream/management/outbound.ts';
import { NS } from '../../proxy/xml/names.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('acknowledgements');

test('h covers the longest beginning that is safe', () => {
  const inbound = new Inbound();
  const [a, b, c] = ['a', 'b', 'c'].map((mark) => inbound.take(mark) as number) as [number, number, number];
  inbound.safe(b);
  assert.is(inbound.h, 0);
  inbound.safe(a);
  assert.is(inbound.h, 2);
  inbound.safe(c);
  assert.is(inbound.h, 3);
  assert.is(inbound.waiting, 0);
});

test('what comes again after a resumption and was safe is not acted on again, the rest is', () => {
  const first = new Inbound();
  const tickets = ['a', 'b', 'c'].map((mark) => first.take(mark) as number);
  first.safe(tickets[1] as number);
  const inbound = Inbound.resume(first.snapshot());
  const a = inbound.take('a');
  assert.is(a, 0);
  inbound.safe(a as number);
  assert.is(inbound.h, 1, 'not beyond what has come again');
  assert.is(inbound.take('b'), undefined);
  assert.is(inbound.h, 2);
  assert.is(inbound.take('c'), 2);
  assert.is(inbound.take('d'), 3);
});

test('a peer that does not send again what it sent before is not misunderstood', () => {
  const first = new Inbound();
  for (const mark of ['a', 'b']) first.take(mark);
  first.safe(1);
  const inbound = Inbound.resume(first.snapshot());
  assert.is(inbound.take('x'), 0);
  assert.is(inbound.take('b'), 1);
  inbound.safe(0);
  assert.is(inbound.h, 1);
});

test('an h above what was sent is told, and changes nothing', () => {
  const outbound = new Outbound();
  outbound.sent(7);
  for (const h of [2, -1, 1.5, WRAP, WRAP - 1, Number.NaN]) assert.is(outbound.acknowledge(h), undefined);
  assert.is(outbound.waiting, 1);
  assert.equal(outbound.acknowledge(1), [7]);
});

test('an h below what was said before changes nothing, also across 2^32', () => {
  for (const acknowledged of [5, WRAP, WRAP + 1]) {
    const outbound = Outbound.resume({ acknowledged, queue: [7] });
    assert.equal(outbound.acknowledge((acknowledged - 2) % WRAP), []);
    assert.is(outbound.waiting, 1);
    assert.equal(outbound.acknowledge((acknowledged + 1) % WRAP), [7]);
  }
});

test('counters go on across 2^32 in both directions', () => {
  const outbound = Outbound.resume({ acknowledged: WRAP - 2, queue: [] });
  const inbound = Inbound.resume({ handled: WRAP - 2, entries: [] });
  for (let count = 0; count < 5; count += 1) {
    outbound.sent(inbound.take('m') as number);
    assert.is(outbound.acknowledge((WRAP - 2 + count + 1) % WRAP)?.length, 1);
    inbound.safe(WRAP - 2 + count);
  }
  assert.is(inbound.h, 3);
});

test('bytes of own stanzas are counted until they are acknowledged', () => {
  const outbound = new Outbound();
  outbound.sent(Buffer.from('12345'));
  outbound.sent(1);
  outbound.sent(Buffer.from('678'));
  assert.is(outbound.bytes, 8);
  outbound.acknowledge(2);
  assert.is(outbound.bytes, 3);
});

test('any order of safety and acknowledgement keeps h at the reference, and never above what came', () => {
  const act = fc.oneof(fc.constant(-1), fc.nat(30), fc.constant(-2));
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
      let inbound = new Inbound();
      // The reference: which stanzas the sender has sent, which are safe, how many the receiver has acted on.
      const safe = new Set<number>();
      const acted: number[] = [];
      let sent = 0;
      for (const one of acts) {
        if (one === -1) {
          const ticket = inbound.take(`m${sent}`);
          if (ticket !== undefined) acted.push(sent);
          sent += 1;
        } else if (one === -2) {
          // The stream breaks; what h covers is forgotten by the sender, the rest comes again at once, in order.
          inbound = Inbound.resume(inbound.snapshot());
          for (let index = inbound.handled; index < sent; index += 1) {
            const ticket = inbound.take(`m${index}`);
            assert.is(ticket === undefined, safe.has(index), 'acted on again exactly when it was not safe');
          }
        } else if (one < sent) {
          safe.add(one);
          inbound.safe(one);
        }
        let expected = 0;
        while (safe.has(expected)) expected += 1;
        assert.is(inbound.handled, expected);
      }
      assert.equal(acted, [...acted.keys()]);
    }),
  );
});

test('the client is asked for each stanza of the proxy’s own, with one request at a time; of others the server asks', () => {
  const sent: string[] = [];
  let asked = 0;
  const management = new Management(NS.sm3, {
    toClient: (xml) => sent.push(xml),
    toServer: () => {},
    clientAsked: () => {
      asked += 1;
    },
  });
  const acknowledge = (h: number) => management.clientAcknowledges(parseStanza(`<a xmlns='${NS.sm3}' h='${h}'/>`));
  const request = `<r xmlns='${NS.sm3}'/>`;
  management.sentToClient(management.fromServer.take('m') as number);
  assert.equal(sent, []);
  acknowledge(1);
  management.sentToClient(Buffer.from('<message/>'));
  assert.equal(sent, [request]);
  for (let count = 0; count < 30; count += 1) management.sentToClient(Buffer.from('<message/>'));
  assert.equal(sent, [request], 'one request at a time');
  acknowledge(2);
  assert.equal(sent, [request, request], 'of what has gone since');
  acknowledge(5);
  assert.equal(sent, [request, request], 'asked already');
  acknowledge(32);
  management.sentToClient(Buffer.from('<message/>'));
  assert.equal(sent, [request, request, request]);
  acknowledge(33);
  assert.is(asked, 3);
});

/** Both ends' answers, with the sides whose answers have been postponed. */
function answering() {
  const told: string[] = [];
  const postponed: string[] = [];
  const note = (side: string) => (xml: string) =>
    told.push(`${side} ${/^<(r|a)/.exec(xml)?.[1]}${/ h='(\d+)'/.exec(xml)?.[1] ?? ''}`);
  const lines = {
    toClient: note('client'),
    toServer: note('server'),
    postponed: (side: string) => postponed.push(side),
  };
  const management = new Management(NS.sm3, lines);
  const fromClient = (): void => management.sentToServer(management.fromClient.take('m') as number);
  const fromServer = (): void => management.sentToClient(management.fromServer.take('m') as number);
  return { management, told, postponed, fromClient, fromServer };
}

test('an answer that says nothing new waits for the one that does, and is given alone when that takes long', () => {
  const { management, told, postponed, fromClient, fromServer } = answering();
  fromClient();
  management.clientRequests();
  assert.equal(told, ['server r'], 'the server is asked, and will tell more');
  management.serverHandled(1);
  management.answerNow('client');
  assert.equal(told.splice(0), ['server r', 'client a1'], 'once');
  fromServer();
  management.serverRequests();
  assert.equal(told, ['client r']);
  management.answerNow('server');
  management.answerNow('server');
  assert.equal(told.splice(0), ['client r', 'server a0']);
  management.clientAcknowledges(parseStanza(`<a xmlns='${NS.sm3}' h='1'/>`));
  management.answerNow('server');
  assert.equal(told.splice(0), ['server a1'], 'what comes to hold later is told unasked');
  assert.equal(postponed, ['client', 'server', 'server']);
});

test('what is due to the server goes with what is written to it, and at once when it is much', () => {
  const { management, told, postponed, fromClient, fromServer } = answering();
  fromServer();
  management.serverRequests();
  management.clientAcknowledges(parseStanza(`<a xmlns='${NS.sm3}' h='1'/>`));
  assert.equal(told.splice(0), ['client r']);
  fromClient();
  assert.equal(told.splice(0), ['server a1']);
  management.answerNow('server');
  assert.equal(told, [], 'once');
  for (let count = 0; count < 20; count += 1) fromServer();
  management.serverRequests();
  management.clientAcknowledges(parseStanza(`<a xmlns='${NS.sm3}' h='21'/>`));
  assert.equal(told, ['client r', 'server a21']);
  assert.is(postponed.length, 2);
});

test('an answer that says something new, or is all that there will be, is given at once', () => {
  const { management, told, postponed, fromClient, fromServer } = answering();
  management.clientRequests();
  management.serverRequests();
  assert.equal(told.splice(0), ['client a0', 'server a0'], 'nothing waits');
  fromClient();
  management.clientRequests();
  management.serverAcknowledges(parseStanza(`<a xmlns='${NS.sm3}' h='1'/>`));
  fromClient();
  fromClient();
  management.clientSafe(1);
  management.clientRequests();
  assert.equal(told.splice(0), ['server r', 'client a1', 'server r', 'client a2']);
  fromServer();
  fromServer();
  management.serverSafe(0);
  management.serverRequests();
  assert.equal(told.splice(0), ['client r', 'server a1']);
  assert.equal(postponed, ['client'], 'only where nothing new held');
});

test('what is safe is told to the server when its connection is about to be dropped', () => {
  const sent: string[] = [];
  const management = new Management(NS.sm3, { toClient: () => {}, toServer: (xml) => sent.push(xml) });
  management.settleWithServer();
  assert.equal(sent, [], 'nothing has come');
  const [one, other] = ['a', 'b'].map((mark) => management.fromServer.take(mark) as number);
  management.serverSafe(one as number);
  management.settleWithServer();
  management.serverSafe(other as number);
  management.settleWithServer();
  assert.equal(sent, [`<a xmlns='${NS.sm3}' h='1'/>`, `<a xmlns='${NS.sm3}' h='2'/>`]);
});

test.run();
