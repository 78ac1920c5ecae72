/** What every bus promises (proxy/store/bus.ts), as tests that each implementation runs. */
import fc from 'fast-check';
import { type Bus, type Envelope, type Inbox, MOST_WAITING_ENVELOPES } from '../../proxy/store/bus.ts';
import { StoreError, type StoreErrorCode } from '../../proxy/store/store.ts';
import { assert, type Suite, suite, type TestContext } from '../support/suite.ts';

/** A store of its own, without inboxes, for one test. */
export interface BusFixture {
  /** Another view of the same bus, as another node has it. Closed by the fixture. */
  open(): Promise<Bus>;
  close(): Promise<void>;
}

/** What came into an inbox: bodies as text, with their sender, and gaps. */
class Reader {
  readonly heard: string[] = [];
  #wake: () => void = () => {};
  #isBusy = false;

  envelope({ from, body }: Envelope): void {
    this.#take(`${from}: ${body.toString()}`);
  }

  gap(): void {
    this.#take('gap');
  }

  #take(what: string): void {
    assert.not(this.#isBusy, 'one at a time');
    this.#isBusy = true;
    this.heard.push(what);
    this.#isBusy = false;
    this.#wake();
  }

  /** Until so many have come, or the last one wanted. */
  async until(isEnough: (heard: string[]) => boolean): Promise<string[]> {
    while (!isEnough(this.heard)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.heard;
  }

  count(wanted: number): Promise<string[]> {
    return this.until((heard) => heard.length >= wanted);
  }
}

let names = 0;

/** Registers and runs the suite for an implementation. `runs` of the random sequences; `after` when all tests are over. */
export function busContract(
  name: string,
  createFixture: () => Promise<BusFixture>,
  { runs = 30, after }: { runs?: number; after?: () => unknown } = {},
): void {
  const test = suite(`${name} bus`, { limitMs: 60_000 });
  const fixture = async ({ after }: TestContext): Promise<BusFixture> => {
    const made = await createFixture();
    after(() => made.close());
    return made;
  };
  delivery(test, fixture);
  ends(test, fixture);
  order(test, createFixture, runs);
  if (after) test.after(after);
  test.run();
}

type Maker = (context: TestContext) => Promise<BusFixture>;

/** A node with an inbox; node ids have one life. */
async function node(bus: Bus): Promise<{ id: string; reader: Reader; inbox: Inbox }> {
  const id = `n${++names}`;
  const reader = new Reader();
  return { id, reader, inbox: await bus.open(id, reader) };
}

function delivery(test: Suite, make: Maker): void {
  test('what one node sends another gets, with its name and as the bytes that were given', async (context) => {
    const { open } = await make(context);
    const [one, other] = [await open(), await open()];
    const to = await node(other);
    const bodies = ['', 'a', '<a b="c">\n\u{1F600}\0\r</a>', 'x'.repeat(300_000)];
    for (const body of bodies) await one.send('sender', to.id, Buffer.from(body));
    assert.equal(
      await to.reader.count(bodies.length),
      bodies.map((body) => `sender: ${body}`),
    );
  });

  test('each inbox gets its own, a node its own too', async (context) => {
    const { open } = await make(context);
    const bus = await open();
    const [one, other] = [await node(bus), await node(await open())];
    await bus.send(one.id, other.id, Buffer.from('to the other'));
    await bus.send(one.id, one.id, Buffer.from('to itself'));
    assert.equal(await other.reader.count(1), [`${one.id}: to the other`]);
    assert.equal(await one.reader.count(1), [`${one.id}: to itself`]);
  });

  test('nothing is handed over within a call of the bus', async (context) => {
    const { open } = await make(context);
    const bus = await open();
    const to = await node(bus);
    const sending = bus.send('s', to.id, Buffer.from('x'));
    assert.equal(to.reader.heard, []);
    await sending;
    await to.reader.count(1);
  });

  test('who answers from within a hand-over is heard', async (context) => {
    const { open } = await make(context);
    const bus = await open();
    const asker = await node(bus);
    const id = `n${++names}`;
    await bus.open(id, {
      // The last one may have come before its sender knows, and then the bus is closed.
      envelope: ({ from, body }) => void bus.send(id, from, Buffer.from(`re ${body}`)).catch(() => {}),
      gap: () => {},
    });
    for (let index = 0; index < 5; index++) await bus.send(asker.id, id, Buffer.from(String(index)));
    assert.equal(
      await asker.reader.count(5),
      [0, 1, 2, 3, 4].map((index) => `${id}: re ${index}`),
    );
  });

  test('more than may wait: the oldest are lost, and that is told once, at its place', async (context) => {
    const { open } = await make(context);
    const [sender, receiver] = [await open(), await open()];
    const id = `n${++names}`;
    const reader = new Reader();
    // The reader is kept from reading: its node works on the first one while the inbox is filled behind it.
    let isFirst = true;
    const flood = MOST_WAITING_ENVELOPES + 5000;
    const sent: Promise<void>[] = [];
    await receiver.open(id, {
      envelope: (envelope) => {
        if (isFirst)
          for (let index = 0; index < flood; index++) sent.push(sender.send('s', id, Buffer.from(`${index}`)));
        isFirst = false;
        reader.envelope(envelope);
      },
      gap: () => reader.gap(),
    });
    await sender.send('s', id, Buffer.from('first'));
    const heard = await reader.until((all) => all.at(-1) === `s: ${flood - 1}`);
    await Promise.all(sent);
    assert.is(heard[0], 's: first');
    const rest = heard.slice(1).filter((what) => what !== 'gap');
    const numbers = rest.map((what) => Number(what.slice(3)));
    let jumps = 0;
    for (const [index, number] of numbers.entries()) {
      const before = index === 0 ? -1 : (numbers[index - 1] ?? -1);
      assert.ok(number > before, 'in order, once');
      if (number === before + 1) continue;
      jumps += 1;
      assert.is(heard[heard.indexOf(`s: ${number}`) - 1], 'gap', 'told at its place');
    }
    assert.is(heard.filter((what) => what === 'gap').length, jumps);
    assert.ok(rest.length >= MOST_WAITING_ENVELOPES);
  });
}

function ends(test: Suite, make: Maker): void {
  test('there is no inbox before it is opened, nor after it is closed', async (context) => {
    const { open } = await make(context);
    const bus = await open();
    await rejects(bus.send('s', 'nobody', Buffer.from('x')), 'no-inbox');
    const to = await node(await open());
    await bus.send('s', to.id, Buffer.from('x'));
    await to.reader.count(1);
    await to.inbox.close();
    await rejects(bus.send('s', to.id, Buffer.from('y')), 'no-inbox');
    await to.inbox.close();
    assert.equal(to.reader.heard, ['s: x']);
  });

  test('from the call of close on nothing is handed over', async (context) => {
    const { open } = await make(context);
    const bus = await open();
    const to = await node(bus);
    await bus.send('s', to.id, Buffer.from('x'));
    await to.reader.count(1);
    const sending = bus.send('s', to.id, Buffer.from('y')).catch(() => {});
    const closing = to.inbox.close();
    const { length } = to.reader.heard;
    await Promise.all([sending, closing]);
    // A fence: what goes into another inbox behind it has come.
    const fence = await node(bus);
    await bus.send('s', fence.id, Buffer.from('z'));
    await fence.reader.count(1);
    assert.is(to.reader.heard.length, length);
  });
}

function order(test: Suite, createFixture: () => Promise<BusFixture>, runs: number): void {
  test('any senders, awaited or not: each one is heard in its order, once', async () => {
    const sending = fc.record({ sender: fc.nat(2), receiver: fc.nat(1), isAwaited: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(sending, { maxLength: 60 }), async (sendings) => {
        const fixture = await createFixture();
        try {
          const senders = [await fixture.open(), await fixture.open(), await fixture.open()];
          const receivers = [await node(await fixture.open()), await node(await fixture.open())];
          const expected: string[][] = [[], []];
          const all: (Promise<void> | undefined)[] = [];
          for (const [index, { sender, receiver, isAwaited }] of sendings.entries()) {
            const to = receivers[receiver]?.id ?? '';
            const sent = senders[sender]?.send(`s${sender}`, to, Buffer.from(String(index)));
            expected[receiver]?.push(`s${sender}: ${index}`);
            all.push(sent);
            if (isAwaited) await sent;
          }
          await Promise.all(all);
          for (const [index, { reader }] of receivers.entries()) {
            const heard = await reader.count(expected[index]?.length ?? 0);
            assert.equal([...heard].sort(), [...(expected[index] ?? [])].sort());
            for (const sender of ['s0:', 's1:', 's2:']) {
              const of = (list: readonly string[]) => list.filter((what) => what.startsWith(sender));
              assert.equal(of(heard), of(expected[index] ?? []));
            }
          }
        } finally {
          await fixture.close();
        }
      }),
      { numRuns: runs },
    );
  });
}

async function rejects(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, StoreError);
  assert.is((error as StoreError).code, code);
}
