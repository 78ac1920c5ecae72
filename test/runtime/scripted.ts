/** Both ends of a conversation as bytes over TCP, with the negotiation between them: for what must be exact to the byte. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HostConfig, LimitsConfig, ListenerConfig } from '../../proxy/config.ts';
import { Certificates } from '../../proxy/net/certificates.ts';
import { LegContext } from '../../proxy/net/context.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import type { Leg, LegHandler } from '../../proxy/net/leg.ts';
import { listenTcp } from '../../proxy/net/listen-tcp.ts';
import { listenWs } from '../../proxy/net/listen-ws.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import type { BoundSession, Negotiation, NegotiationDeps } from '../../proxy/runtime/bound-session.ts';
import { negotiate } from '../../proxy/runtime/negotiation.ts';
import type { TestContext } from '../support/suite.ts';

/** One end of a connection that speaks literal text. */
export class Speaker {
  #socket: Socket;
  #text = '';
  #isClosed = false;
  #wake = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /**
   * Waits until the text up to and including `part` has come; takes it away and returns it. Fails when the connection ends
   * before, or after two seconds.
   */
  async hear(part: string): Promise<string> {
    const limit = Date.now() + 2_000;
    for (;;) {
      const at = this.#text.indexOf(part);
      if (at >= 0) {
        const taken = this.#text.slice(0, at + part.length);
        this.#text = this.#text.slice(taken.length);
        return taken;
      }
      if (this.#isClosed) throw new Error(`closed before ${part}\nheard: ${this.#text}`);
      if (Date.now() > limit) throw new Error(`not heard: ${part}\nheard: ${this.#text}`);
      await this.#change(limit - Date.now());
    }
  }

  /** Everything until the connection is closed. */
  async hearEnd(): Promise<string> {
    const limit = Date.now() + 3_000;
    while (!this.#isClosed) {
      if (Date.now() > limit) throw new Error(`not closed\nheard: ${this.#text}`);
      await this.#change(limit - Date.now());
    }
    const rest = this.#text;
    this.#text = '';
    return rest;
  }

  /** What has come and was not taken. */
  get rest(): string {
    return this.#text;
  }

  /** TLS as a client, certificates unchecked. */
  async startTls(): Promise<void> {
    this.#socket.removeAllListeners('data');
    const secured = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await new Promise((resolve, reject) => secured.once('secureConnect', resolve).once('error', reject));
    this.#socket = secured;
    this.#listen();
  }

  end(): void {
    this.#socket.end();
  }

  drop(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    this.#socket.on('data', (chunk) => {
      this.#text += chunk.toString();
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
    this.#socket.on('end', () => this.#socket.end());
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, limitMs));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export interface StageOptions {
  listener?: Partial<ListenerConfig>;
  limits?: Partial<LimitsConfig>;
  deps?: Partial<NegotiationDeps>;
  saslMode?: 'relay' | 'plain-only';
  scheme?: HostConfig['upstream']['scheme'];
  /** Domains; `localhost` unless told. */
  hosts?: string[];
  /** Port of the server; the scripted one's unless told. */
  port?: number;
}

export const LIMITS: LimitsConfig = {
  stanzaBytes: 262_144,
  preAuthStanzaBytes: 16_384,
  depth: 100,
  attributes: 100,
  upstream: { stanzaBytes: 1_000_000, depth: 1000, attributes: 1000 },
  outboxBytes: 4_000_000,
  authTimeoutMs: 5_000,
  handshakeTimeoutMs: 2_000,
  closeTimeoutMs: 60,
  pingMs: 300_000,
  idleMs: 600_000,
  silenceMs: 60_000,
  connectionsPerAddress: 0,
};

/** A negotiation's surroundings: a scripted server, a listener, and clients that connect to it. */
export class Stage {
  readonly bound: BoundSession[] = [];
  readonly over: string[] = [];
  readonly negotiations: Negotiation[] = [];
  readonly log = captureLog();
  readonly metrics = createMetrics();
  /** Called with each bound session. */
  onBound: (session: BoundSession) => void = () => {};
  readonly #server: Server;
  readonly #arrived: Socket[] = [];
  #wake = () => {};
  #port = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open({ after }: TestContext, options: StageOptions = {}): Promise<Stage> {
    const server = createServer({ allowHalfOpen: true });
    const stage = new Stage(server);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      stage.#arrived.push(socket);
      stage.#wake();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await stage.#listen(after, options);
    return stage;
  }

  /** Where clients connect. */
  get port(): number {
    return this.#port;
  }

  /** A new client. */
  async client(): Promise<Speaker> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Speaker(socket);
  }

  /** The next connection that the proxy has opened to the server. */
  async server(): Promise<Speaker> {
    const limit = Date.now() + 2_000;
    for (;;) {
      const socket = this.#arrived.shift();
      if (socket !== undefined) return new Speaker(socket);
      if (Date.now() > limit) throw new Error('the proxy has not connected to the server');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limit - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Connections to the server that nobody has taken. */
  get waiting(): number {
    return this.#arrived.length;
  }

  async #listen(after: TestContext['after'], options: StageOptions): Promise<void> {
    const limits = { ...LIMITS, ...options.limits };
    const context = new LegContext({ limits, log: this.log, metrics: this.metrics });
    const dialer = new Dialer(context);
    const { port } = this.#server.address() as { port: number };
    const scheme = options.scheme ?? 'xmpp';
    const upstream = { scheme, host: '127.0.0.1', port: options.port ?? port, path: '', verify: false };
    const names = options.hosts ?? ['localhost'];
    const hosts: Record<string, HostConfig> = {};
    for (const name of names) hosts[name] = { name, upstream, accountStreams: true };
    const certificates = await Certificates.load({ hosts, log: this.log });
    const listener: ListenerConfig = {
      kind: 'tcp',
      host: '127.0.0.1',
      port: 0,
      path: '',
      tls: 'none',
      trusted: true,
      proxyProtocol: false,
      balancers: [],
      ...options.listener,
    };
    const deps: NegotiationDeps = {
      config: { hosts, sasl: { mode: options.saslMode ?? 'relay' }, limits },
      log: this.log,
      metrics: this.metrics,
      serverTls: () => certificates,
      newStreamId: () => 'our-id',
      dial: (host, { signal }) => dialer.dial(host.upstream, host.name, { signal }),
      ...options.deps,
    };
    const accept = (leg: Leg) => {
      const onBound = (session: BoundSession) => {
        this.bound.push(session);
        this.onBound(session);
      };
      this.negotiations.push(negotiate(leg, listener, deps, onBound, (reason) => this.over.push(reason)));
      after(() => leg.destroy());
    };
    const place = { host: '127.0.0.1', port: 0, context, accept };
    const opened = await (listener.kind === 'tcp' ? listenTcp(place) : listenWs({ ...place, path: '/xmpp-websocket' }));
    this.#port = opened.port;
    after(() => opened.close());
  }
}

/** Keeps what a leg emits, as text. */
export function recorder(): LegHandler & { readonly heard: string[] } {
  const heard: string[] = [];
  return {
    heard,
    header: () => void heard.push('header'),
    stanza: (stanza) => void heard.push(stanza.toString()),
    end: () => void heard.push('end'),
    violation: ({ condition }) => void heard.push(`violation ${condition}`),
    closed: () => void heard.push('closed'),
    drain: () => {},
  };
}

/** Passes everything on to another leg. */
export function relayTo(other: Leg): LegHandler {
  return {
    header: () => {},
    stanza: (stanza) => other.forward(stanza),
    end: () => other.end(),
    violation: (violation) => other.error(violation),
    closed: () => other.end(),
    drain: () => {},
  };
}
