/** A leg that one node lends to a session at another (S9): in order, once, bounded, and at its end when something is missing. */
import fc from 'fast-check';
import { type Leg, type LegHandler, SILENT } from '../../../proxy/net/leg.ts';
import { silentLog } from '../../../proxy/ops/log.ts';
import { createMetrics } from '../../../proxy/ops/metrics.ts';
import { Lending } from '../../../proxy/runtime/cluster/lending.ts';
import type { LendingMessage } from '../../../proxy/runtime/cluster/lent-messages.ts';
import { USUAL_DECLARATIONS } from '../../../proxy/xml/declarations.ts';
import { NS } from '../../../proxy/xml/names.ts';
import { parseStanza } from '../../../proxy/xml/stanza.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('lent legs');

const request = { domain: 'localhost', previd: 'p', h: 3, version: NS.sm3 };
const OUTBOX = 1024 * 1024;

/** A client's connection: what goes out on it, and whether it takes or reads anything. */
class ClientEnd {
  handler: LegHandler = SILENT;
  readonly told: string[] = [];
  readonly pauses = new Set<string>();
  congested = false;
  isClosed = false;
  readonly kind = 'tcp';
  readonly remoteAddress = '::1';
  readonly route = { source: undefined, destination: undefined };
  readonly encrypted = true;
  readonly declared = USUAL_DECLARATIONS;
  write = (bytes: Buffer): void => void this.told.push(bytes.toString());
  send = (xml: Buffer | string): void => void this.told.push(xml.toString());
  error = ({ condition }: { condition: string }): void => void this.told.push(`error ${condition}`);
  end = (): void => void this.told.push('end');
  expectAnswer = (): void => void this.told.push('expects');
  release = (): void => void this.told.push('released');
  pause = (cause: string): void => void this.pauses.add(cause);
  resume = (cause: string): void => void this.pauses.delete(cause);
  destroy(): void {
    this.#close();
  }
  #close(error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.handler.closed(error));
  }
  breaks(): void {
    this.#close(new Error('ECONNRESET'));
  }
}

/** Whoever has the session, and hears the leg. */
class SessionEnd implements LegHandler {
  readonly heard: string[] = [];
  leg: Leg | undefined;
  header(): void {}
  stanza(stanza: { toString(): string }): void {
    this.heard.push(stanza.toString());
  }
  end(): void {
    this.heard.push('end');
  }
  violation({ condition }: { condition: string }): void {
    this.heard.push(`violation ${condition}`);
  }
  closed(error?: Error): void {
    this.heard.push(`closed ${error?.message ?? ''}`.trim());
  }
  drain(): void {
    this.heard.push('drain');
  }
}

/** Node `here` has the client, node `there` the session, if `takes`. What they send each other waits until it is delivered. */
function world({ takes = true, isWanted = true } = {}) {
  const client = new ClientEnd();
  const session = new SessionEnd();
  const wire: { from: string; to: string; message: LendingMessage; payload: Buffer | undefined }[] = [];
  const options = { log: silentLog, metrics: createMetrics(), config: { limits: { outboxBytes: OUTBOX } } };
  let serial = 0;
  const node = (from: string) => ({
    send: (to: string, message: LendingMessage, payload?: Buffer) => void wire.push({ from, to, message, payload }),
    newId: () => `${from}${serial++}`,
  });
  const here = new Lending(node('here'), options);
  const there = new Lending(node('there'), options);
  there.borrower = {
    takeLeg: (_, leg) => {
      if (!takes) return false;
      session.leg = leg;
      leg.handler = session;
      return true;
    },
  };
  const answers: boolean[] = [];
  const deliver = (): boolean => {
    const next = wire.shift();
    if (!next) return false;
    const { from, to, message, payload = Buffer.alloc(0) } = next;
    (to === 'here' ? here : there).message(from, JSON.parse(JSON.stringify(message)) as LendingMessage, payload);
    return true;
  };
  /** All that was sent arrives, and what follows from it. */
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = deliver() ? 0 : quiet + 1;
      while (deliver());
    }
  };
  /** The same, with word of what was dealt with, which may wait a little. */
  const rest = async (isDone: () => boolean): Promise<void> => {
    for (let wait = 0; wait < 20 && !isDone(); wait += 1) {
      await settle();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await settle();
  };
  const lend = async (): Promise<void> => {
    here.offer('there', request, client as unknown as Leg, (isTaken) => {
      answers.push(isTaken);
      return isWanted;
    });
    await settle();
  };
  return { client, session, wire, here, there, answers, deliver, settle, rest, lend };
}

const letter = (body: string) => `<message><body>${body}</body></message>`;

test('what either says reaches the other in order, as it is; what the session asks of the leg is done', async () => {
  const { client, session, settle, lend, here, there } = world();
  await lend();
  assert.equal(client.told, ['released']);
  assert.equal(
    [here.counts, there.counts],
    [
      { lent: 1, distant: 0 },
      { lent: 0, distant: 1 },
    ],
  );
  const leg = session.leg as Leg;
  assert.equal(
    [leg.kind, leg.remoteAddress, leg.encrypted, [...(leg.declared as Map<string, string>)]],
    ['tcp', '::1', true, [...USUAL_DECLARATIONS]],
  );
  client.handler.stanza(parseStanza(letter('one')));
  client.handler.stanza(parseStanza(`<r xmlns='${NS.sm3}'/>`));
  leg.send('<a/>');
  leg.forward(parseStanza(letter('two')));
  leg.write(Buffer.from(letter('three')));
  leg.expectAnswer();
  await settle();
  assert.equal(session.heard, [letter('one'), `<r xmlns='${NS.sm3}'/>`]);
  assert.equal(client.told.slice(1), ['<a/>', letter('two'), letter('three'), 'expects']);
});

test('a stanza that leans on the stream header of its client is whole where the session is', async () => {
  const { client, session, settle, lend } = world();
  await lend();
  const declared = new Map([...USUAL_DECLARATIONS, ['x', 'urn:x']]);
  client.handler.stanza(parseStanza('<message><x:y/></message>', declared));
  await settle();
  assert.equal(session.heard, ["<message xmlns:x='urn:x'><x:y/></message>"]);
});

test('ends cross: the close of either, its error, a broken rule, a broken connection', async () => {
  for (const [act, heard, told] of [
    [(one: ReturnType<typeof world>) => one.client.handler.end(), ['end'], []],
    [
      (one: ReturnType<typeof world>) => one.client.handler.violation({ condition: 'not-well-formed', text: '' }),
      ['violation not-well-formed'],
      [],
    ],
    [(one: ReturnType<typeof world>) => one.session.leg?.end(), [], ['end']],
    [(one: ReturnType<typeof world>) => one.session.leg?.error({ condition: 'conflict' }), [], ['error conflict']],
  ] as const) {
    const one = world();
    await one.lend();
    act(one);
    await one.settle();
    assert.equal(one.session.heard, heard);
    assert.equal(one.client.told.slice(1), told);
    one.client.breaks();
    await one.settle();
    assert.equal(one.session.heard, [...heard, 'closed ECONNRESET']);
    assert.is(one.session.leg?.isClosed, true);
    assert.equal(
      [one.here.counts, one.there.counts],
      [
        { lent: 0, distant: 0 },
        { lent: 0, distant: 0 },
      ],
    );
  }
});

test('what the session says before it drops the leg is still said; its handler hears of the end later', async () => {
  const { client, session, settle, lend } = world();
  await lend();
  session.leg?.send('<last/>');
  session.leg?.destroy();
  assert.equal(session.heard, []);
  await settle();
  assert.equal(session.heard, ['closed']);
  assert.equal(client.told.slice(1), ['<last/>']);
  assert.ok(client.isClosed);
  session.leg?.send('<late/>');
  await settle();
  assert.is(client.told.length, 2);
});

test('a session that is gone leaves the leg where it is; a client that is gone costs the session its leg at once', async () => {
  const none = world({ takes: false });
  await none.lend();
  assert.equal(none.answers, [false]);
  assert.equal(none.client.told, []);
  assert.is(none.here.counts.lent + none.there.counts.distant, 0);
  const gone = world({ isWanted: false });
  await gone.lend();
  await gone.settle();
  assert.equal(gone.session.heard, ['closed the node that the client is connected to cannot be reached']);
  const closed = world();
  closed.client.isClosed = true;
  await closed.lend();
  await closed.settle();
  assert.equal(closed.session.heard, ['closed']);
  assert.is(closed.here.counts.lent + closed.there.counts.distant, 0);
});

test('when an envelope is missing, a node is lost, or the bus is not to be trusted, both ends are at their end', async () => {
  type World = ReturnType<typeof world>;
  const acts: readonly ((one: World) => Promise<void> | void)[] = [
    async (one) => {
      one.session.leg?.send('<lost/>');
      await new Promise((resolve) => setImmediate(resolve));
      one.wire.length = 0;
      one.session.leg?.send('<next/>');
      await one.settle();
      assert.not.ok(one.client.told.includes('<next/>'));
    },
    async (one) => {
      one.client.handler.stanza(parseStanza(letter('lost')));
      await new Promise((resolve) => setImmediate(resolve));
      one.wire.length = 0;
      one.client.handler.stanza(parseStanza(letter('next')));
      await one.settle();
      assert.not.ok(one.session.heard.includes(letter('next')));
    },
    (one) => {
      one.here.lost('there');
      one.there.lost('here');
    },
    (one) => {
      one.here.doubt();
      one.there.doubt();
    },
    // The other node has noticed nothing.
    (one) => one.here.doubt(),
    (one) => one.there.doubt(),
  ];
  for (const act of acts) {
    const one = world();
    await one.lend();
    await act(one);
    await one.settle();
    assert.ok(one.client.isClosed);
    assert.ok(one.session.leg?.isClosed);
    assert.is(one.here.counts.lent + one.there.counts.distant, 0);
  }
});

test('a node that stops cuts its clients off without a word, and their sessions hear of it', async () => {
  const { client, session, here, settle, lend } = world();
  await lend();
  here.cutOff();
  await settle();
  assert.ok(client.isClosed);
  assert.equal(client.told, ['released']);
  assert.equal(session.heard, ['closed']);
});

test('what comes from another node than the one that has the leg does nothing', async () => {
  const { client, session, here, there, lend, settle } = world();
  await lend();
  const leg = 'here0';
  here.message('forger', { kind: 'leg-gone', leg }, Buffer.alloc(0));
  there.message(
    'forger',
    { kind: 'leg', leg, number: 1, seen: 0 },
    Buffer.from('{"items":[{"kind":"end"}],"lengths":[]}\n'),
  );
  await settle();
  assert.is(client.isClosed, false);
  assert.equal(session.heard, []);
});

test('a client that takes nothing: the session is told, what waits is bounded, and beyond that the leg ends', async () => {
  const { client, session, settle, rest, lend } = world();
  await lend();
  const leg = session.leg as Leg;
  client.congested = true;
  const text = Buffer.alloc(10_000, 'x');
  for (let count = 0; count < 40; count += 1) leg.write(text);
  await settle();
  assert.ok(leg.congested);
  const taken = client.told.length;
  assert.ok(taken < 40 && leg.backlog > 300_000, 'the other node is given a part');
  client.congested = false;
  client.handler.drain();
  await rest(() => leg.backlog === 0);
  assert.is(client.told.length, 41);
  assert.equal([leg.congested, leg.backlog, session.heard], [false, 0, ['drain']]);
  client.congested = true;
  for (let count = 0; count < 120 + 840; count += 1) leg.write(text);
  await settle();
  assert.equal(session.heard, ['drain', 'closed too much waits for a peer that does not read']);
  assert.ok(client.isClosed);
});

test('a session that reads nothing: the client is not read on', async () => {
  const { client, session, settle, rest, lend } = world();
  await lend();
  session.leg?.pause('server');
  const body = 'x'.repeat(10_000);
  let sent = 0;
  for (; sent < 1000 && client.pauses.size === 0; sent += 1) {
    client.handler.stanza(parseStanza(letter(body)));
    await settle();
  }
  assert.ok(sent < 100, `${sent}`);
  assert.equal(session.heard, []);
  session.leg?.resume('server');
  await rest(() => client.pauses.size === 0);
  assert.is(session.heard.length, sent);
  assert.is(client.pauses.size, 0);
});

test('however sizes and turns fall: nothing is lost, doubled or out of order, and little is under way', async () => {
  const acts = fc.array(
    fc.tuple(
      fc.constantFrom('up', 'up', 'down', 'down', 'pause', 'resume', 'congest', 'drain', 'deliver', 'turn'),
      fc.nat({ max: 40_000 }),
    ),
    { maxLength: 120 },
  );
  await fc.assert(
    fc.asyncProperty(acts, async (chosen) => {
      const { client, session, wire, deliver, rest, lend } = world();
      await lend();
      const leg = session.leg as Leg;
      const [up, down]: [string[], string[]] = [[], []];
      for (const [act, size] of chosen) {
        const text = letter(`${up.length + down.length} ${'x'.repeat(size)}`);
        if (act === 'up' && client.pauses.size === 0) {
          up.push(text);
          client.handler.stanza(parseStanza(text));
        } else if (act === 'down' && leg.backlog < OUTBOX / 2) {
          down.push(text);
          leg.send(text);
        } else if (act === 'pause') leg.pause('test');
        else if (act === 'resume') leg.resume('test');
        else if (act === 'congest') client.congested = true;
        else if (act === 'drain' && client.congested) {
          client.congested = false;
          client.handler.drain();
        } else if (act === 'deliver') deliver();
        else if (act === 'turn') await new Promise((resolve) => setImmediate(resolve));
        assert.ok(wire.filter(({ message }) => message.kind === 'leg' && message.number > 0).length <= 64);
      }
      leg.resume('test');
      client.congested = false;
      client.handler.drain();
      await rest(() => session.heard.length >= up.length && client.told.length > down.length);
      assert.equal(
        session.heard.filter((one) => one !== 'drain'),
        up,
      );
      assert.equal(client.told.slice(1), down);
    }),
    { numRuns: 60 },
  );
});

test.run();
