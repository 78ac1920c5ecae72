/** A client that costs next to nothing: it logs in, writes text, and counts what comes. */
import { connect, type Socket } from 'node:net';

const HEADER =
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' ` +
  `to='localhost' version='1.0'>`;
const END_OF_MESSAGE = Buffer.from('</message>');
const REQUEST = Buffer.from('<r ');
const LIMIT_MS = 60_000;

export interface Login {
  readonly port: number;
  readonly user: string;
  readonly resource: string;
  /** PLAIN, with the name as the password; otherwise the load server's X-LOAD. */
  readonly isPlain?: boolean;
}

export class LoadClient {
  /** Messages that have come since the login. */
  messages = 0;
  /** Bytes that have come since the login. */
  bytes = 0;
  /** Called with the number of messages that a chunk has completed. */
  onMessages: ((count: number) => void) | undefined;
  jid = '';
  /** Messages that had come when stream management was enabled; undefined: it was not. */
  #managedFrom: number | undefined;
  readonly #socket: Socket;
  #wanted: { readonly text: string; readonly resolve: () => void } | undefined;
  #seen = '';
  /** The last bytes of the chunk before, in which an end tag may have begun. */
  #rest: Buffer = Buffer.alloc(0);
  #fail: (error: Error) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error(`the connection of ${this.jid} has ended`)));
  }

  /** Connects and binds the resource. */
  static async login({ port, user, resource, isPlain = false }: Login): Promise<LoadClient> {
    const client = new LoadClient(connect({ port, host: '127.0.0.1', noDelay: true }));
    const payload = Buffer.from(isPlain ? `\0${user}\0${user}` : user).toString('base64');
    const mechanism = isPlain ? 'PLAIN' : 'X-LOAD';
    const bind =
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>` +
      `<resource>${resource}</resource></bind></iq>`;
    await client.ask(HEADER, '</stream:features>');
    await client.ask(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${payload}</auth>`,
      '<success',
    );
    await client.ask(HEADER, '</stream:features>');
    await client.ask(bind, '</iq>');
    client.jid = `${user}@localhost/${resource}`;
    client.bytes = 0;
    return client;
  }

  write(text: string | Buffer): void {
    this.#socket.write(text);
  }

  /** Enables stream management (XEP-0198): from here on nothing but messages may come, which are acknowledged when asked for. */
  async manage(): Promise<void> {
    await this.ask(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`, '<enabled');
    this.#managedFrom = this.messages;
  }

  /** Writes, and waits until that text has come. */
  async ask(xml: string, text: string): Promise<void> {
    const seen = this.until(text);
    this.write(xml);
    await seen;
  }

  /** Resolves when that text has come from now on. */
  until(text: string): Promise<void> {
    this.#seen = '';
    return this.#bounded(`"${text}"`, (resolve) => {
      this.#wanted = { text, resolve };
    });
  }

  /** Resolves with this many more messages. */
  more(count: number): Promise<void> {
    const goal = this.messages + count;
    return this.#bounded(`${count} messages`, (resolve) => {
      this.onMessages = () => {
        if (this.messages >= goal) resolve();
      };
    });
  }

  close(): void {
    this.#fail = () => {};
    this.#socket.destroy();
  }

  #bounded(what: string, start: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.jid} has waited too long for ${what}`)), LIMIT_MS);
      this.#fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      start(() => {
        clearTimeout(timer);
        this.#fail = () => {};
        resolve();
      });
    });
  }

  #receive(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.#wanted !== undefined) {
      this.#seen += chunk.toString('latin1');
      if (this.#seen.includes(this.#wanted.text)) {
        const { resolve } = this.#wanted;
        this.#wanted = undefined;
        this.#seen = '';
        resolve();
      }
    }
    const text = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let count = 0;
    let from = 0;
    for (let at = text.indexOf(END_OF_MESSAGE); at >= 0; at = text.indexOf(END_OF_MESSAGE, from)) {
      count += 1;
      from = at + END_OF_MESSAGE.length;
    }
    const kept = Math.max(from, text.length - END_OF_MESSAGE.length + 1);
    this.#rest = text.subarray(kept);
    this.messages += count;
    // Seen twice, where it lies at the end of a chunk, it is answered twice.
    if (this.#managedFrom !== undefined && text.includes(REQUEST)) {
      this.write(`<a xmlns='urn:xmpp:sm:3' h='${this.messages - this.#managedFrom}'/>`);
    }
    if (count > 0) this.onMessages?.(count);
  }
}

/** Logs many clients in, a few at a time. */
export async function loginAll(logins: readonly Login[]): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  for (let at = 0; at < logins.length; at += 50) {
    clients.push(...(await Promise.all(logins.slice(at, at + 50).map((login) => LoadClient.login(login)))));
  }
  return clients;
}
