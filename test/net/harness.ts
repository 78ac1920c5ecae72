/** What the tests of proxy/net have in common: a recording owner, a plain peer, and servers that clean up after themselves. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { LegContext, type NetMetrics } from '../../proxy/net/context.ts';
import type { Leg, LegHandler, LegLimits } from '../../proxy/net/leg.ts';
import { type Listener, type ListenTcpOptions, listenTcp } from '../../proxy/net/listen-tcp.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import type { Violation } from '../../proxy/xml/framer.ts';
import type { Stanza, StreamHeader } from '../../proxy/xml/stanza.ts';
import type { TestContext } from '../support/suite.ts';

export const HEADER =
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' ` +
  `xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`;

export const LIMITS: LegLimits = {
  stanzaBytes: 262_144,
  depth: 100,
  attributes: 100,
  outboxBytes: 1_048_576,
  closeTimeoutMs: 2_000,
  handshakeTimeoutMs: 5_000,
};

/** Counts by name and labels, such as `drops{leg-ended}`. */
export class Counts implements NetMetrics {
  readonly hot = {
    stanzasUp: 0,
    stanzasDown: 0,
    stanzasForked: 0,
    stanzasSaved: 0,
    bytesSaved: 0,
    bytesInDownstream: 0,
    bytesOutDownstream: 0,
    bytesInUpstream: 0,
    bytesOutUpstream: 0,
  };
  readonly counts = new Map<string, number>();
  readonly legs = { ...this.#counter('legs'), dec: this.#add('legs', -1), set: () => {} };
  readonly connectionsAccepted = this.#counter('accepted');
  readonly connectionsRefused = this.#counter('refused');
  readonly drops = this.#counter('drops');
  readonly streamErrors = this.#counter('errors');
  readonly violations = this.#counter('violations');

  get(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  #counter(name: string) {
    return { inc: this.#add(name, 1) };
  }

  #add(name: string, sign: number) {
    return (labels: Record<string, string>, by = 1): void => {
      const key = `${name}{${Object.values(labels).join(',')}}`;
      this.counts.set(key, this.get(key) + sign * by);
    };
  }
}

/** Resolves waiting tests as soon as what they wait for is true; there is no polling. */
export class Signal {
  #waiting: { isDone: () => boolean; resolve: () => void }[] = [];

  changed(): void {
    const done = this.#waiting.filter(({ isDone }) => isDone());
    this.#waiting = this.#waiting.filter((one) => !done.includes(one));
    for (const { resolve } of done) resolve();
  }

  until(isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isDone, resolve }));
  }
}

/** Owner of a leg: writes down what it is told, and answers the peer's close as owners must. */
export class Owner implements LegHandler {
  readonly leg: Leg;
  readonly seen: string[] = [];
  readonly headers: StreamHeader[] = [];
  readonly violations: Violation[] = [];
  closedWith: Error | undefined;
  isClosed = false;
  drains = 0;
  onStanza: (stanza: Stanza) => void = () => {};
  onDrain: () => void = () => {};
  readonly #signal = new Signal();

  constructor(leg: Leg) {
    this.leg = leg;
    leg.handler = this;
  }

  header(header: StreamHeader): void {
    this.headers.push(header);
    this.#note('header');
  }

  stanza(stanza: Stanza): void {
    this.#note(stanza.toString());
    this.onStanza(stanza);
  }

  end(): void {
    this.#note('end');
    this.leg.end();
  }

  violation(violation: Violation): void {
    this.violations.push(violation);
    this.#note('violation');
  }

  closed(error?: Error): void {
    if (this.isClosed) throw new Error('closed twice');
    this.isClosed = true;
    this.closedWith = error;
    this.#note('closed');
  }

  drain(): void {
    this.drains++;
    this.onDrain();
    this.#signal.changed();
  }

  until(isDone: () => boolean): Promise<void> {
    return this.#signal.until(isDone);
  }

  /** Resolves when this has been seen. */
  saw(what: string): Promise<void> {
    return this.until(() => this.seen.includes(what));
  }

  get closing(): Promise<void> {
    return this.until(() => this.isClosed);
  }

  get code(): string | undefined {
    return (this.closedWith as NodeJS.ErrnoException | undefined)?.code;
  }

  #note(what: string): void {
    this.seen.push(what);
    this.#signal.changed();
  }
}

/** The other end of a connection, as plain text. */
export class Peer {
  readonly socket: Socket;
  text = '';
  chunks = 0;
  hasEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | undefined;
  readonly #signal = new Signal();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.chunks++;
      this.#signal.changed();
    });
    socket.on('end', () => {
      this.hasEnded = true;
      this.#signal.changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#signal.changed();
    });
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  until(isDone: () => boolean): Promise<void> {
    return this.#signal.until(isDone);
  }

  has(text: string): Promise<void> {
    return this.until(() => this.text.includes(text));
  }

  get ended(): Promise<void> {
    return this.until(() => this.hasEnded || this.isClosed);
  }
}

export interface Setup {
  readonly context: LegContext;
  readonly counts: Counts;
}

export function setup(limits: Partial<LegLimits> = {}, now?: () => number): Setup {
  const counts = new Counts();
  const context = new LegContext({
    limits: { ...LIMITS, ...limits },
    log: silentLog,
    metrics: counts,
    ...(now === undefined ? {} : { now }),
  });
  return { context, counts };
}

/** Owners of accepted legs in the order of their coming. */
export class Door {
  readonly owners: Owner[] = [];
  readonly #signal = new Signal();

  readonly accept = (leg: Leg): void => {
    this.owners.push(new Owner(leg));
    this.#signal.changed();
  };

  async owner(index = 0): Promise<Owner> {
    await this.#signal.until(() => this.owners.length > index);
    return this.owners[index] as Owner;
  }
}

export interface Pair extends Setup {
  readonly owner: Owner;
  readonly peer: Peer;
  readonly listener: Listener;
}

/** An accepted TCP leg and its client. */
export async function tcpPair(
  t: TestContext,
  limits: Partial<LegLimits> = {},
  options: Partial<ListenTcpOptions> & { now?: () => number } = {},
): Promise<Pair> {
  const made = setup(limits, options.now);
  const door = new Door();
  const { context } = made;
  const listener = await listenTcp({ host: '127.0.0.1', port: 0, context, accept: door.accept, ...options });
  t.after(() => listener.close());
  const peer = await dialPeer(t, listener.port);
  const owner = await door.owner();
  t.after(() => owner.leg.destroy());
  return { ...made, owner, peer, listener };
}

export async function dialPeer(t: TestContext, port: number, host = '127.0.0.1'): Promise<Peer> {
  const peer = new Peer(connect({ port, host, allowHalfOpen: true, noDelay: true }));
  t.after(() => peer.socket.destroy());
  await once(peer.socket, 'connect');
  return peer;
}

/** A server that does what the test says with each connection. */
export async function serve(t: TestContext, onConnection: (peer: Peer) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    onConnection(new Peer(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(await listening(server));
}

export async function listening<T extends Server>(server: T): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = await listening(createServer());
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minimix-net-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly files: { readonly cert: string; readonly key: string };
}

/** A certificate for that name, on disk and in hand; it is its own authority. */
export async function certificateFor(folder: string, name: string): Promise<TestCertificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
  });
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await writeFile(files.cert, made.cert);
  await writeFile(files.key, made.private);
  return { cert: await readFile(files.cert, 'utf8'), key: made.private, files };
}

/** `<message id='1'>…</message>` of about that many bytes. */
export function message(id: number | string, bytes = 60): string {
  const frame = `<message id='${id}'><body></body></message>`;
  return `<message id='${id}'><body>${'x'.repeat(Math.max(0, bytes - frame.length))}</body></message>`;
}
