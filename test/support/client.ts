/**
 * A raw XMPP client: what a test sends is what goes out, what it expects is compared with what came. Knows nothing of the
 * proxy, and speaks to a server as it does to the proxy.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type Element, escapeXml, ns, parseOne } from './element.ts';
import { LoginError, StanzaError } from './errors.ts';
import { type Matcher, matches, printMatcher } from './match.ts';
import { isOwnPresence, isRoomNoise } from './noise.ts';
import { type Credentials, saslExchange } from './sasl.ts';
import { type Ending, type LogEntry, type Target, XmlStream } from './stream.ts';

export { Element, ns } from './element.ts';
export { LoginError, StanzaError } from './errors.ts';
export { allOf, exactly, type Matcher, without } from './match.ts';
export type { Ending, Target } from './stream.ts';

export interface LoginOptions {
  user: string;
  /** The user's name unless told. */
  password?: string;
  /** PLAIN unless told; `legacy` is XEP-0078. */
  mechanism?: string;
  /** Chosen by the server unless told. */
  resource?: string;
  authzid?: string;
  gs2?: 'n' | 'y';
  /** Priority of the initial presence; none is sent unless this is there. */
  presence?: number;
}

const defaultLimitMs = 5_000;

/** Connects and opens the stream, up to the first features (after STARTTLS, where that is asked for). */
export function connect(target: Target, name = 'client'): Promise<Client> {
  return establish(target, name, async () => {});
}

/** Connects, and has the conversation from the first features on. It begins anew where `login` would do so. */
export function converse(
  target: Target,
  name: string,
  conversation: (client: Client) => Promise<void>,
): Promise<Client> {
  return establish(target, name, conversation);
}

/** Connects, logs in and binds. */
export function login(target: Target, options: LoginOptions): Promise<Client> {
  const name = `${options.user}${options.resource ? `/${options.resource}` : ''}`;
  return establish(target, name, (client) => client.login(options));
}

async function establish(target: Target, name: string, further: (client: Client) => Promise<void>): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    const client = new Client(await XmlStream.dial(target, name));
    try {
      await client.open();
      if (target.access === 'starttls') await client.startTls();
      await further(client);
      return client;
    } catch (error) {
      await client.end(500);
      if (attempt === 5 || !isReusedDescriptor(await client.closed)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * COMPAT: jabberd2 2.7.0 knows connections by their file descriptor: for some milliseconds after one has ended, what is meant
 * for it ends the new one that has got its number, with these words. Most often after an RST.
 */
export function isReusedDescriptor({ error }: Ending): boolean {
  return error?.child('internal-server-error') !== undefined && error.child('text')?.text === 'internal server error';
}

export class Client {
  readonly stream: XmlStream;
  /** The last `<stream:features/>`. */
  features: Element = parseOne('<stream:features/>');
  /** Full JID, once bound. */
  jid = '';
  /**
   * What servers send of their own accord is set aside here instead of arriving: presence of the account's own resources and
   * of bare room JIDs, greetings of old room services.
   */
  readonly noise: Element[] = [];
  /** What counts as noise; replace by `() => false` to see everything. */
  isNoise = (element: Element): boolean => isRoomNoise(element) || isOwnPresence(element, this.bareJid);
  /** XEP-0198 counters, once enabled or resumed; `<r/>` is answered at once while `isAnswering`. */
  sm: { id: string; inbound: number; outbound: number; acked: number; isAnswering: boolean } | undefined;
  readonly #tag = randomBytes(3).toString('hex');
  #count = 0;
  #resuming: Client | undefined;

  constructor(stream: XmlStream) {
    this.stream = stream;
    stream.intercept = (element) => this.#intercept(element);
  }

  /** All text in and out. */
  get log(): readonly LogEntry[] {
    return this.stream.log;
  }

  /** Bare JID, once bound. */
  get bareJid(): string {
    return this.jid.split('/')[0] as string;
  }

  get resource(): string {
    return this.jid.slice(this.jid.indexOf('/') + 1);
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<Ending> {
    return this.stream.closed;
  }

  /** Mechanisms in the last features. */
  get mechanisms(): string[] {
    return this.features.child('mechanisms', ns.sasl)?.elements.map((one) => one.text) ?? [];
  }

  /** An id that no other stanza of this process has. */
  id(): string {
    this.#count++;
    return `${this.#tag}-${this.#count}`;
  }

  /** Sends a stream header and waits for the peer's and for features. */
  async open(): Promise<void> {
    await this.stream.open();
    this.features = await this.expect('<stream:features/>', { limitMs: 10_000 });
  }

  /** STARTTLS, and the new stream behind it. */
  async startTls(): Promise<void> {
    this.send(`<starttls xmlns='${ns.tls}'/>`);
    await this.expect(`<proceed xmlns='${ns.tls}'/>`);
    await this.stream.startTls();
    await this.open();
  }

  async login(options: LoginOptions): Promise<void> {
    if (options.mechanism === 'legacy') await this.#loginLegacy(options);
    else {
      await this.authenticate(options);
      await this.bind(options.resource);
    }
    if (options.presence !== undefined) await this.available(options.presence);
  }

  /** SASL and the new stream behind it. Throws a LoginError when refused; another attempt may follow on the same stream. */
  async authenticate({ user, password = user, mechanism = 'PLAIN', authzid, gs2 }: LoginOptions): Promise<void> {
    const credentials: Credentials = { user, password, domain: this.stream.target.domain ?? 'localhost' };
    if (authzid !== undefined) credentials.authzid = authzid;
    if (gs2) credentials.gs2 = gs2;
    const exchange = saslExchange(mechanism, credentials);
    const initial = exchange.initial();
    const payload = (text: string) => Buffer.from(text).toString('base64') || '=';
    this.send(
      `<auth xmlns='${ns.sasl}' mechanism='${mechanism}'>${initial === undefined ? '' : payload(initial)}</auth>`,
    );
    for (;;) {
      const answer = await this.expect(isSaslAnswer, { limitMs: 10_000 });
      const data = Buffer.from(answer.text.trim().replace(/^=$/, ''), 'base64').toString();
      if (answer.name === 'failure') throw new LoginError(answer);
      if (answer.name === 'success') {
        exchange.finish(data);
        return await this.open();
      }
      const response = exchange.respond(data);
      this.send(`<response xmlns='${ns.sasl}'>${response ? payload(response) : ''}</response>`);
    }
  }

  /** Binds a resource, and takes the full JID from the result. */
  async bind(resource?: string): Promise<void> {
    const wish = resource === undefined ? '' : `<resource>${escapeXml(resource)}</resource>`;
    const result = await this.iq(`<iq type='set'><bind xmlns='${ns.bind}'>${wish}</bind></iq>`, { limitMs: 10_000 });
    this.jid = result.at('bind', 'jid')?.text ?? '';
  }

  /** Sends initial presence and waits until the server has taken it. */
  async available(priority = 0, inner = ''): Promise<void> {
    this.send(`<presence><priority>${priority}</priority>${inner}</presence>`);
    await this.ping();
  }

  /** Sends an element as it is, on a WebSocket with the namespace it needs. */
  send(xml: string): void {
    if (this.sm && /^<(message|presence|iq)[\s/>]/.test(xml)) this.sm.outbound++;
    this.stream.send(xml);
  }

  sendRaw(data: string | Buffer): void {
    this.stream.sendRaw(data);
  }

  /** The next element must match. */
  expect(matcher: Matcher, { limitMs = defaultLimitMs } = {}): Promise<Element> {
    return this.stream.inbox.next(matcher, limitMs);
  }

  /** The next elements must match these, in some order; returned in the order of the matchers. */
  expectInAnyOrder(matchers: Matcher[], { limitMs = defaultLimitMs } = {}): Promise<Element[]> {
    return this.stream.inbox.nextInAnyOrder(matchers, limitMs);
  }

  /** The first element that matches is taken out, the others stay for later. */
  pick(matcher: Matcher, { limitMs = defaultLimitMs } = {}): Promise<Element> {
    return this.stream.inbox.pick(matcher, limitMs);
  }

  /** Everything up to and including the first match is taken out. */
  upTo(matcher: Matcher, { limitMs = defaultLimitMs } = {}): Promise<Element[]> {
    return this.stream.inbox.upTo(matcher, limitMs);
  }

  /**
   * Everything that has arrived before the answers to fences: a ping to the own server, and a `disco#info` request to the
   * room where one is given, which that room answers behind all that it has sent before.
   */
  async fence({ room, limitMs = defaultLimitMs }: { room?: string; limitMs?: number } = {}): Promise<Element[]> {
    const arrived: Element[] = [];
    if (room) arrived.push(...(await this.#fenceTo(room, `<query xmlns='${ns.discoInfo}'/>`, limitMs)));
    arrived.push(
      ...(await this.#fenceTo(this.stream.target.domain ?? 'localhost', `<ping xmlns='${ns.ping}'/>`, limitMs)),
    );
    return arrived;
  }

  /** Fails when anything has arrived before the fence's answer, apart from what `except` matches. */
  async expectNothing(options: { room?: string; limitMs?: number; except?: Matcher[] } = {}): Promise<void> {
    const { except = [] } = options;
    const arrived = (await this.fence(options)).filter((one) => !except.some((matcher) => matches(one, matcher)));
    if (arrived.length === 0) return;
    const exceptions = except.length > 0 ? ` but\n${except.map(printMatcher).join('\n')}` : '';
    const text = arrived.map((one) => one.print()).join('\n');
    throw new Error(`${this.stream.inbox.name}: nothing was to arrive${exceptions}\n\nhas arrived:\n${text}`);
  }

  /** Sends a request and returns its result; an id is added where there is none. Other elements stay in the inbox. */
  async iq(xml: string, options: { limitMs?: number } = {}): Promise<Element> {
    const answer = await this.#ask(xml, options.limitMs ?? defaultLimitMs);
    if (answer.type === 'error') throw new StanzaError(answer);
    return answer;
  }

  /** Sends a request that must be refused, and returns the error. */
  async iqError(xml: string, options: { limitMs?: number } = {}): Promise<StanzaError> {
    const answer = await this.#ask(xml, options.limitMs ?? defaultLimitMs);
    if (answer.type === 'error') return new StanzaError(answer);
    throw new Error(`an error was expected:\n${answer.print()}`);
  }

  /** A round trip to the own server. */
  async ping(limitMs = defaultLimitMs): Promise<void> {
    await this.#ask(
      `<iq type='get' to='${this.stream.target.domain ?? 'localhost'}'><ping xmlns='${ns.ping}'/></iq>`,
      limitMs,
    );
  }

  /** Enables stream management and returns `<enabled/>` (or `<failed/>`). */
  async enableSm(attributes = "resume='true'"): Promise<Element> {
    this.stream.send(`<enable xmlns='${ns.sm}' ${attributes}/>`);
    return await this.pick(isSmAnswer);
  }

  /**
   * Resumes the session of another client on this stream, which is authenticated and has bound nothing. Returns `<resumed/>`,
   * after which this client is that session, or `<failed/>`.
   */
  async resume(old: Client): Promise<Element> {
    if (!old.sm) throw new Error('stream management was not enabled');
    this.#resuming = old;
    this.stream.send(`<resume xmlns='${ns.sm}' previd='${escapeXml(old.sm.id)}' h='${old.sm.inbound}'/>`);
    return await this.pick(isSmAnswer);
  }

  /** `</stream:stream>`, and waits for the connection to go; drops it after `limitMs`. */
  end(limitMs = 3_000): Promise<Ending> {
    return this.stream.end(limitMs);
  }

  /** FIN without closing the stream. */
  fin(): Promise<void> {
    return this.stream.fin();
  }

  /** RST. */
  drop(): Promise<void> {
    return this.stream.drop();
  }

  async #ask(xml: string, limitMs: number): Promise<Element> {
    const given = parseOne(xml).id;
    const id = given ?? this.id();
    this.send(given === undefined ? xml.replace('<iq', `<iq id='${id}'`) : xml);
    return await this.pick(isAnswer(id), { limitMs });
  }

  async #fenceTo(to: string, payload: string, limitMs: number): Promise<Element[]> {
    const id = this.id();
    this.send(`<iq type='get' id='${id}' to='${escapeXml(to)}'>${payload}</iq>`);
    const arrived = await this.upTo(isAnswer(id), { limitMs });
    return arrived.slice(0, -1);
  }

  /** XEP-0078: the session is bound by the login itself. */
  async #loginLegacy({ user, password = user, resource = 'legacy' }: LoginOptions): Promise<void> {
    const name = `<username>${escapeXml(user)}</username>`;
    const asked = await this.iq(`<iq type='get'><query xmlns='${ns.legacyAuth}'>${name}</query></iq>`);
    const digest = createHash('sha1').update(`${this.stream.header.id}${password}`).digest('hex');
    const isDigest = asked.at('query', 'digest') !== undefined;
    const proof = isDigest ? `<digest>${digest}</digest>` : `<password>${escapeXml(password)}</password>`;
    const fields = `${name}${proof}<resource>${escapeXml(resource)}</resource>`;
    await this.iq(`<iq type='set'><query xmlns='${ns.legacyAuth}'>${fields}</query></iq>`);
    this.jid = `${user}@${this.stream.target.domain ?? 'localhost'}/${resource}`;
  }

  #intercept(element: Element): boolean {
    if (element.ns === ns.sm) return this.#interceptSm(element);
    if (this.sm && element.ns === ns.client) this.sm.inbound = (this.sm.inbound + 1) % 2 ** 32;
    if (!this.isNoise(element)) return false;
    this.noise.push(element);
    return true;
  }

  #interceptSm(element: Element): boolean {
    if (element.name === 'enabled') {
      this.sm = { id: element.id ?? '', inbound: 0, outbound: 0, acked: 0, isAnswering: true };
    }
    if (element.name === 'resumed' && this.#resuming?.sm) {
      this.sm = { ...this.#resuming.sm, acked: Number(element.attrs.h) };
      this.jid = this.#resuming.jid;
    }
    if (!this.sm) return false;
    if (element.name === 'a') this.sm.acked = Number(element.attrs.h);
    if (element.name === 'r' && this.sm.isAnswering) this.stream.send(`<a xmlns='${ns.sm}' h='${this.sm.inbound}'/>`);
    return element.name === 'a' || element.name === 'r';
  }
}

const isSaslAnswer: Matcher = Object.assign((element: Element) => element.ns === ns.sasl, {
  wanted: 'an answer of SASL',
});

const isSmAnswer: Matcher = Object.assign(
  (element: Element) => element.ns === ns.sm && ['enabled', 'resumed', 'failed'].includes(element.name),
  { wanted: '<enabled/>, <resumed/> or <failed/>' },
);

function isAnswer(id: string): Matcher {
  const test = (element: Element) =>
    element.name === 'iq' && element.id === id && (element.type === 'result' || element.type === 'error');
  return Object.assign(test, { wanted: `the answer to the request ${id}` });
}
