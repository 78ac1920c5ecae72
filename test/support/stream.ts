/** A client's XML stream over any transport: headers, elements in and out, a log of all text, how it ended. */
import type { ConnectionOptions } from 'node:tls';
import { type Element, ElementStream, ns, parseOne } from './element.ts';
import { Inbox } from './inbox.ts';
import { dialTcp, dialWebSocket, type Wire } from './wire.ts';

/** Where and how to connect. */
export interface Target {
  access: 'tcp' | 'starttls' | 'tls' | 'ws' | 'wss';
  port: number;
  address?: string;
  /** Path of the WebSocket; `/xmpp-websocket` unless told. */
  path?: string;
  /** The host in the stream header; `localhost` unless told. */
  domain?: string;
  /** What the stream header says of it (`xml:lang`); nothing unless told. */
  language?: string;
  /** Certificates are not checked unless this says so. */
  tls?: ConnectionOptions;
  /** Request headers of the WebSocket. */
  headers?: Record<string, string>;
  /** Bytes to send before anything else, such as a PROXY protocol header. TCP without direct TLS. */
  preamble?: string | Buffer;
}

/** How a stream ended. */
export interface Ending {
  /** The stream error that came, if any. */
  error?: Element;
  /** Whether the peer closed the stream (`</stream:stream>`, `<close/>`) before the connection went. */
  isClean: boolean;
  /** What the transport said. */
  reason: string;
}

/** One line of the log. */
export interface LogEntry {
  at: number;
  direction: 'in' | 'out';
  text: string;
}

/** A stream without any knowledge of logins and stanzas. */
export class XmlStream {
  readonly inbox: Inbox;
  readonly target: Target;
  readonly log: LogEntry[] = [];
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<Ending>;
  /** Attributes of the last stream header that came. */
  header: Record<string, string> = {};
  /** Sees each element first; what it returns true for does not go into the inbox. */
  intercept: (element: Element) => boolean = () => false;
  /** Called when a stream error has come. */
  onError: () => void = () => {};
  isClosed = false;
  readonly #wire: Wire;
  readonly #headers: Inbox;
  #parser: ElementStream | undefined;
  #error: Element | undefined;
  #isEndSeen = false;
  #isEndSent = false;
  #fault: string | undefined;

  constructor(wire: Wire, target: Target, name: string) {
    this.#wire = wire;
    this.target = target;
    this.inbox = new Inbox(name);
    this.#headers = new Inbox(name);
    this.closed = new Promise((resolve) => {
      wire.handler = {
        text: (text) => this.#receive(text),
        closed: (reason) => {
          this.isClosed = true;
          const why = this.#fault ?? reason;
          const told = `the stream has ended: ${why}${this.#error ? `\n${this.#error.print()}` : ''}`;
          this.inbox.end(told);
          this.#headers.end(told);
          resolve({ ...(this.#error ? { error: this.#error } : {}), isClean: this.#isEndSeen, reason: why });
        },
      };
    });
  }

  /** Connects the transport; STARTTLS is left to `startTls`. */
  static async dial(target: Target, name: string): Promise<XmlStream> {
    const { access, port, address = '127.0.0.1', path = '/xmpp-websocket', tls = {} } = target;
    if (access === 'ws' || access === 'wss') {
      const wire = await dialWebSocket(`${access}://${address}:${port}${path}`, tls, target.headers);
      return new XmlStream(wire, target, name);
    }
    const wire = await dialTcp(port, address, access === 'tls' ? tls : undefined);
    if (target.preamble) wire.write(target.preamble);
    return new XmlStream(wire, target, name);
  }

  get isWebSocket(): boolean {
    return this.#wire.kind === 'websocket';
  }

  /** Opens the stream, or opens it again, and waits for the peer's header. */
  async open(attributes: Record<string, string> = {}, limitMs = 10_000): Promise<void> {
    this.#parser = undefined;
    this.#headers.takeAll();
    const { domain = 'localhost', language } = this.target;
    const fields = { to: domain, version: '1.0', ...(language && { 'xml:lang': language }), ...attributes };
    const text = Object.entries(fields).map(([name, value]) => ` ${name}='${value}'`);
    if (this.isWebSocket) this.sendRaw(`<open xmlns='${ns.framing}'${text.join('')}/>`);
    else {
      const declared = `xmlns='${ns.client}' xmlns:stream='${ns.streams}'`;
      this.sendRaw(`<?xml version='1.0'?><stream:stream ${declared}${text.join('')}>`);
    }
    const header = await this.#headers.wait(limitMs, 'a stream header', (headers) => headers.shift());
    this.header = header.attrs;
  }

  /** Sends an element; on a WebSocket the namespace is added that a stream header would have declared. */
  send(xml: string): void {
    const name = /^\s*<([^\s/>]+)/.exec(xml)?.[1] ?? '';
    const openTag = xml.slice(0, xml.indexOf('>'));
    const isBare = this.isWebSocket && !name.includes(':') && !/\sxmlns=/.test(openTag);
    this.sendRaw(isBare ? xml.replace(name, `${name} xmlns='${ns.client}'`) : xml);
  }

  /** Sends bytes as they are. */
  sendRaw(data: string | Buffer): void {
    this.log.push({ at: Date.now(), direction: 'out', text: data.toString() });
    this.#wire.write(data);
  }

  startTls(): Promise<void> {
    return this.#wire.startTls(this.target.tls ?? {});
  }

  /** Closes the stream in good order and waits for the connection to go, `limitMs` at most. */
  async end(limitMs = 3_000): Promise<Ending> {
    if (this.isClosed) return await this.closed;
    this.#sendEnd();
    const timer = setTimeout(() => this.#wire.drop(), limitMs);
    const ending = await this.closed;
    clearTimeout(timer);
    return ending;
  }

  /** Ends the connection without closing the stream, in good order (FIN). */
  async fin(): Promise<void> {
    this.#wire.fin();
    await this.closed;
  }

  /** Ends the connection at once (RST), as a lost network would not even. */
  async drop(): Promise<void> {
    this.#wire.drop();
    await this.closed;
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  #sendEnd(): void {
    if (this.#isEndSent) return;
    this.#isEndSent = true;
    this.sendRaw(this.isWebSocket ? `<close xmlns='${ns.framing}'/>` : '</stream:stream>');
  }

  #receive(text: string): void {
    this.log.push({ at: Date.now(), direction: 'in', text });
    try {
      if (this.isWebSocket) this.#element(parseOne(text, ''));
      else {
        this.#parser ??= new ElementStream({
          opened: (root) => this.#headers.add(root),
          element: (element) => this.#element(element),
          closed: () => this.#end(),
        });
        this.#parser.write(text);
      }
    } catch (error) {
      this.#fault = `what arrived is not a valid stream: ${(error as Error).message}\n${text}`;
      this.#wire.drop();
    }
  }

  #element(element: Element): void {
    if (element.ns === ns.framing) {
      if (element.name === 'open') this.#headers.add(element);
      else this.#end();
      return;
    }
    if (element.ns === ns.streams && element.name === 'error') {
      this.#error = element.elements.length > 0 ? element : undefined;
      this.onError();
      return;
    }
    if (!this.intercept(element)) this.inbox.add(element);
  }

  #end(): void {
    this.#isEndSeen = true;
    this.#sendEnd();
    // The side that closed ends the connection (RFC 6120 4.4); a peer that forgets to gets our FIN a little later.
    const timer = setTimeout(() => this.#wire.fin(), 200);
    timer.unref();
  }
}
