/**
 * One-to-one messages from client to client: CPU of the proxy against that of a bare TCP pipe in front of the same server,
 * each message passing twice, up and down.
 */
import { LoadClient } from './load-client.ts';
import { median, type Result } from './measure.ts';
import { cpuOf, type Program, type ProxyCommand, startLoadServer, startPipe, startProxy } from './programs.ts';

/** Pairs of clients that play ping-pong. */
const PAIRS = 8;
/** CPU of the proxy in terms of the pipe's, when 16 messages share a system call, and when each has its own. */
const MOST_BATCHED = 2.5;
const MOST_SINGLE = 1.3;
const BODY = 'But soft, what light through yonder window breaks? It is the east.';

export interface RelayOptions {
  readonly proxy: ProxyCommand;
  readonly rounds: number;
  /** Messages of one round with 16 in flight; a fifth of it with one. */
  readonly messages: number;
  /** Messages in flight of a pair. */
  readonly windows?: readonly number[];
}

export async function relay({ proxy, rounds, messages, windows = [16, 1] }: RelayOptions): Promise<Result[]> {
  const server = await startLoadServer();
  const pipe = await startPipe(server.port);
  const ours = await startProxy(proxy, server.port);
  const ways = { direct: server, pipe, proxy: ours };
  const results: Result[] = [];
  try {
    for (const window of windows) {
      const count = window === 1 ? messages / 5 : messages;
      const most = window === 1 ? MOST_SINGLE : MOST_BATCHED;
      const name = window === 1 ? 'one message a system call' : `${window} in flight`;
      const measured = await measure(ways, { window, count, rounds });
      const ratios = measured.proxy.cpu.map((cpu, round) => cpu / (measured.pipe.cpu[round] ?? Number.NaN));
      results.push({ part: 'relay', name: `${name}: CPU, proxy to pipe`, most, reached: median(ratios), unit: 'x' });
      for (const way of ['pipe', 'proxy'] as const) {
        const reached = median(measured[way].cpu);
        results.push({ part: 'relay', name: `${name}: CPU of the ${way} per 100k`, reached, unit: 's' });
      }
      for (const way of ['direct', 'pipe', 'proxy'] as const) {
        results.push({
          part: 'relay',
          name: `${name}: ${way}`,
          reached: median(measured[way].rate),
          unit: 'messages/s',
        });
      }
    }
  } finally {
    await Promise.all([ours.stop(), pipe.stop()]);
    await server.stop();
  }
  return results;
}

type Way = 'direct' | 'pipe' | 'proxy';

interface Measured {
  /** CPU seconds of the process on that way per 100k messages, for each round. */
  readonly cpu: number[];
  readonly rate: number[];
}

async function measure(
  ways: Readonly<Record<Way, Program>>,
  { window, count, rounds }: { window: number; count: number; rounds: number },
): Promise<Record<Way, Measured>> {
  const measured = { direct: empty(), pipe: empty(), proxy: empty() };
  const names = ['direct', 'pipe', 'proxy'] as const;
  const pairs = {
    direct: await pairsAt('d', ways.direct),
    pipe: await pairsAt('t', ways.pipe),
    proxy: await pairsAt('p', ways.proxy),
  };
  // What a compiler does at first is not what is asked for here.
  for (const way of names) await play(pairs[way], window, 20_000);
  for (let round = 0; round < rounds; round++) {
    for (const way of names) {
      const start = performance.now();
      const cpu = await cpuOf(ways[way].pids, () => play(pairs[way], window, count));
      measured[way].cpu.push((cpu / count) * 100_000);
      measured[way].rate.push((count / (performance.now() - start)) * 1000);
    }
  }
  for (const way of names) for (const client of pairs[way].flat()) client.close();
  return measured;
}

function empty(): Measured {
  return { cpu: [], rate: [] };
}

export async function pairsAt(prefix: string, { port }: Program): Promise<[LoadClient, LoadClient][]> {
  const pairs: [LoadClient, LoadClient][] = [];
  for (let n = 0; n < PAIRS; n++) {
    pairs.push([
      await LoadClient.login({ port, user: `${prefix}romeo${n}`, resource: 'balcony' }),
      await LoadClient.login({ port, user: `${prefix}juliet${n}`, resource: 'chamber' }),
    ]);
  }
  return pairs;
}

/** Each message that comes is answered by one to the other side; those of one chunk in one write, with `behind` behind them. */
export async function play(
  pairs: readonly [LoadClient, LoadClient][],
  window: number,
  count: number,
  behind = '',
): Promise<void> {
  const share = Math.ceil(count / pairs.length);
  await Promise.all(
    pairs.map(async ([one, other]) => {
      const toOther = messages(other.jid, window, behind);
      const toOne = messages(one.jid, window, behind);
      let left = share - window;
      let received = 0;
      await new Promise<void>((resolve) => {
        const answer = (client: LoadClient, texts: readonly string[]) => (number: number) => {
          received += number;
          if (received >= share) {
            resolve();
            return;
          }
          const sent = Math.min(number, left);
          left -= sent;
          if (sent > 0) client.write(texts[sent] ?? '');
        };
        one.onMessages = answer(one, toOther);
        other.onMessages = answer(other, toOne);
        one.write(toOther[window] ?? '');
      });
    }),
  );
}

/** Texts of 0 to `most` messages of some 250 bytes. */
function messages(to: string, most: number, behind: string): string[] {
  const one =
    `<message to='${to}' id='7d0c1d6a-6f3e-4b07' type='chat'><body>${BODY}</body>` +
    `<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`;
  return Array.from({ length: most + 1 }, (_, count) => one.repeat(count) + behind);
}
