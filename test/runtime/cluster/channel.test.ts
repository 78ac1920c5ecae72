/** A channel between two nodes: whatever is lost, doubled or late on the way, each envelope is taken once and in order. */
import fc from 'fast-check';
import { ChannelEnd } from '../../../proxy/runtime/cluster/channel.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('channels between nodes');

interface Letter {
  readonly number: number;
  readonly payload: Buffer;
}

test('a way that loses and repeats: all is taken, once, in order', () => {
  // What happens to the next envelope, or to all that is not acknowledged.
  const fate = fc.constantFrom('send', 'send', 'deliver', 'deliver', 'lose', 'again', 'acknowledge', 'move');
  fc.assert(
    fc.property(fc.array(fate, { maxLength: 100 }), (fates) => {
      let sender = new ChannelEnd('c');
      let receiver = new ChannelEnd('c');
      const way: Letter[] = [];
      const taken: string[] = [];
      const deliver = (): void => {
        const letter = way.shift();
        if (letter && receiver.take(letter.number) === 'next') taken.push(letter.payload.toString());
      };
      let count = 0;
      for (const one of fates) {
        if (one === 'send') {
          const payload = Buffer.from(String(count++));
          way.push({ number: sender.push(payload), payload });
        } else if (one === 'deliver') deliver();
        else if (one === 'lose') way.shift();
        else if (one === 'again') way.push(...sender.unseen);
        else if (one === 'acknowledge') sender.acknowledge(receiver.seen);
        else [sender, receiver] = [ChannelEnd.restore(sender.state), ChannelEnd.restore(receiver.state)];
      }
      way.push(...sender.unseen);
      while (way.length > 0) deliver();
      assert.equal(
        taken,
        Array.from({ length: count }, (_, index) => String(index)),
      );
    }),
  );
});

test('one that is early is not taken, one that is known is not taken again', () => {
  const end = new ChannelEnd('c');
  assert.equal([end.take(2), end.take(1), end.take(1), end.take(2)], ['early', 'next', 'known', 'next']);
});

test('who takes much tells so before long', () => {
  const end = new ChannelEnd('c');
  assert.is(end.untold, 'no');
  end.take(1);
  assert.is(end.untold, 'yes');
  for (let number = 2; number <= 64; number += 1) end.take(number);
  assert.is(end.untold, 'soon');
  assert.is(end.tell(), 64);
  assert.is(end.untold, 'no');
});

test('what is never seen does not grow without end', () => {
  const end = new ChannelEnd('c');
  const payload = Buffer.alloc(1024 * 1024);
  for (let count = 0; count < 8; count += 1) end.push(payload);
  assert.is(end.isOverfull, false);
  end.push(payload);
  assert.is(end.isOverfull, true);
  end.acknowledge(5);
  assert.is(end.isOverfull, false);
});

test.run();
