/**
 * An XMPP server in the test's own process, for what real ones cannot be made to do: hostile bytes, exact timing, a silence
 * at the wrong moment. Plain TCP. It takes any login, binds, answers pings, and leaves everything else to the test.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { type Element, ElementStream, escapeXml, ns } from './element.ts';
import { Inbox } from './inbox.ts';
import type { Matcher } from './match.ts';

/** How far the server goes by itself on each connection. */
export type FakeStage = 'nothing' | 'header' | 'login' | 'bind';

export interface FakeServerOptions {
  domain?: string;
  /** `bind` unless told: whoever connects is served up to a bound resource. */
  upTo?: FakeStage;
  /** Offered mechanisms; PLAIN and X-TEST unless told. Any of them succeeds at once; the user is taken from its payload. */
  mechanisms?: string[];
  /** XML of further features after the login, such as that of stream management. */
  features?: string;
  /** XML of further features before the login. */
  firstFeatures?: string;
  /** Further attributes of the stream header. */
  headerAttributes?: string;
  /** Answers an element at once, in place of the test; undefined leaves it to the inbox. */
  answer?: (element: Element, peer: FakePeer) => string | undefined;
}

/** Starts listening on 127.0.0.1, on a free port unless told. */
export async function startFakeServer(options: FakeServerOptions = {}, port = 0): Promise<FakeServer> {
  const listener = createServer();
  const server = new FakeServer(listener, options);
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  return server;
}

export class FakeServer {
  readonly peers: FakePeer[] = [];
  options: FakeServerOptions;
  readonly #listener: NetServer;
  readonly #ready: FakePeer[] = [];
  readonly #waiting: ((peer: FakePeer) => void)[] = [];

  constructor(listener: NetServer, options: FakeServerOptions) {
    this.#listener = listener;
    this.options = options;
    listener.on('connection', (socket) => {
      const peer = new FakePeer(socket, { ...this.options }, (one) => {
        const waiting = this.#waiting.shift();
        if (waiting) waiting(one);
        else this.#ready.push(one);
      });
      this.peers.push(peer);
    });
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port;
  }

  /** URL for the proxy's configuration. */
  get upstream(): string {
    return `xmpp://127.0.0.1:${this.port}`;
  }

  /** The next connection that has got as far as `upTo` says, in the order in which they got there. */
  async peer(limitMs = 5_000): Promise<FakePeer> {
    const ready = this.#ready.shift();
    if (ready) return ready;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no connection got so far within ${limitMs} ms`)), limitMs);
      this.#waiting.push((peer) => {
        clearTimeout(timer);
        resolve(peer);
      });
    });
  }

  /** Drops all connections and stops listening. */
  async stop(): Promise<void> {
    for (const peer of this.peers) peer.drop();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}

/** The server's end of one connection. */
export class FakePeer {
  readonly inbox: Inbox;
  /** Bytes as they came, before anything else looked at them. */
  readonly received: Buffer[] = [];
  /** Attributes of the last stream header that came. */
  header: Record<string, string> = {};
  user = '';
  mechanism = '';
  /** Full JID, once bound. */
  jid = '';
  /** Resolves when the connection is gone. True where the other side had closed its stream before. */
  readonly closed: Promise<boolean>;
  /** Set when what came was not well-formed; the connection is dropped then. */
  fault: Error | undefined;
  readonly #socket: Socket;
  readonly #options: FakeServerOptions;
  readonly #ready: (peer: FakePeer) => void;
  #parser: ElementStream | undefined;
  #isLoggedIn = false;
  #isEndSeen = false;

  constructor(socket: Socket, options: FakeServerOptions, ready: (peer: FakePeer) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#ready = ready;
    this.inbox = new Inbox('fake server');
    const decoder = new TextDecoder('utf-8', { fatal: true });
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.received.push(chunk);
      if (options.upTo !== 'nothing') this.#receive(decoder.decode(chunk, { stream: true }));
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.inbox.end('the connection has ended');
        resolve(this.#isEndSeen);
      });
    });
    if (options.upTo === 'nothing') ready(this);
  }

  get domain(): string {
    return this.#options.domain ?? 'localhost';
  }

  /** Everything that came, as text. */
  get text(): string {
    return Buffer.concat(this.received).toString();
  }

  send(xml: string): void {
    this.#socket.write(xml);
  }

  sendRaw(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** The next element must match. */
  expect(matcher: Matcher, { limitMs = 5_000 } = {}): Promise<Element> {
    return this.inbox.next(matcher, limitMs);
  }

  /** The first that matches is taken out, the others stay. */
  pick(matcher: Matcher, { limitMs = 5_000 } = {}): Promise<Element> {
    return this.inbox.pick(matcher, limitMs);
  }

  /** `<stream:error/>` with that condition, and the end of the stream. */
  fail(condition: string, inner = ''): void {
    const error = `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>${inner}`;
    this.send(`<stream:error>${error}</stream:error></stream:stream>`);
    this.#socket.end();
  }

  end(): void {
    this.send('</stream:stream>');
    this.#socket.end();
  }

  fin(): void {
    this.#socket.end();
  }

  drop(): void {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, as a server that is stuck. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends a stream header, and features as they are now due. */
  sendHeader(): void {
    const {
      headerAttributes = '',
      mechanisms = ['PLAIN', 'X-TEST'],
      features = '',
      firstFeatures = '',
    } = this.#options;
    const declared = `xmlns='${ns.client}' xmlns:stream='${ns.streams}'`;
    const id = randomBytes(6).toString('hex');
    this.send(
      `<?xml version='1.0'?><stream:stream ${declared} id='${id}' from='${this.domain}' version='1.0' ${headerAttributes}>`,
    );
    const offered = mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join('');
    const before = `${firstFeatures}<mechanisms xmlns='${ns.sasl}'>${offered}</mechanisms>`;
    const after = `<bind xmlns='${ns.bind}'/>${features}`;
    this.send(`<stream:features>${this.#isLoggedIn ? after : before}</stream:features>`);
  }

  #receive(text: string): void {
    this.#parser ??= new ElementStream({
      opened: (root) => this.#opened(root),
      element: (element) => this.#element(element),
      closed: () => {
        this.#isEndSeen = true;
        this.#socket.end('</stream:stream>');
      },
    });
    try {
      this.#parser.write(text);
    } catch (error) {
      this.fault = error as Error;
      this.drop();
    }
  }

  #opened(root: Element): void {
    this.header = root.attrs;
    const { upTo = 'bind' } = this.#options;
    if (upTo === 'header') {
      this.#ready(this);
      return;
    }
    this.sendHeader();
    if (upTo === 'login' && this.#isLoggedIn) this.#ready(this);
  }

  #element(element: Element): void {
    const own = this.#options.answer?.(element, this);
    if (own !== undefined) {
      if (own) this.send(own);
      return;
    }
    const { upTo = 'bind' } = this.#options;
    if (upTo !== 'header' && element.name === 'auth' && element.ns === ns.sasl) this.#login(element);
    else if (upTo === 'bind' && element.child('bind', ns.bind)) this.#bind(element);
    else if (this.#isCourtesy(element)) this.send(result(element, this.domain));
    else this.inbox.add(element);
  }

  /** Requests that every server answers. */
  #isCourtesy(element: Element): boolean {
    const isPing = element.type === 'get' && element.child('ping', ns.ping) && element.to === this.domain;
    return Boolean(isPing || element.child('session', ns.session));
  }

  #login(element: Element): void {
    const payload = Buffer.from(element.text, 'base64').toString();
    this.mechanism = element.attrs.mechanism ?? '';
    this.user = this.mechanism === 'PLAIN' ? (payload.split('\0')[1] ?? '') : payload;
    this.#isLoggedIn = true;
    this.#parser = undefined;
    this.send(`<success xmlns='${ns.sasl}'/>`);
  }

  #bind(element: Element): void {
    const resource = element.at('bind', 'resource')?.text || randomBytes(4).toString('hex');
    this.jid = `${this.user}@${this.domain}/${resource}`;
    const jid = `<bind xmlns='${ns.bind}'><jid>${escapeXml(this.jid)}</jid></bind>`;
    this.send(`<iq type='result' id='${escapeXml(element.id ?? '')}'>${jid}</iq>`);
    this.#ready(this);
  }
}

function result(request: Element, from: string): string {
  return `<iq type='result' id='${escapeXml(request.id ?? '')}' from='${from}'/>`;
}

export interface JoinAnswer {
  /** Nicks of other occupants. */
  occupants?: string[];
  /** The nick to give, where it is not the one asked for. */
  nick?: string;
  /** Status codes beside 110. */
  codes?: number[];
  /** XML of the history, complete messages. */
  history?: string;
  /** Text of the subject; undefined sends none at all. */
  subject?: string;
}

/** Answers a join as a room would: occupants, self-presence with 110, history, subject. */
export function answerJoin(peer: FakePeer, join: Element, answer: JoinAnswer = {}): void {
  const { occupants = [], codes = [], history = '', subject = '' } = answer;
  const [room = '', asked = ''] = (join.to ?? '').split('/');
  const presence = (nick: string, statuses: number[], id?: string) => {
    const status = statuses.map((code) => `<status code='${code}'/>`).join('');
    const item = `<item affiliation='none' role='participant'/>`;
    const named = id === undefined ? '' : ` id='${escapeXml(id)}'`;
    return `<presence from='${room}/${nick}' to='${peer.jid}'${named}><x xmlns='${ns.mucUser}'>${item}${status}</x></presence>`;
  };
  for (const nick of occupants) peer.send(presence(nick, []));
  peer.send(presence(answer.nick ?? asked, [110, ...codes], join.id));
  if (history) peer.send(history);
  if ('subject' in answer && answer.subject === undefined) return;
  peer.send(`<message from='${room}' to='${peer.jid}' type='groupchat'><subject>${subject}</subject></message>`);
}
