/** Persons in rooms, played by client libraries that others have written: only what any chat program does with them. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { ensurePackages, packagesOf } from '../../servers/install.ts';
import type { Target } from '../../support/client.ts';
import { until } from './witness.ts';

export interface Person {
  /** Resolves when the library takes itself to be in the room. */
  join(room: string, nick: string): Promise<void>;
  say(room: string, body: string): void;
  /** Texts of the room, as `nick: text`, in the order in which they came. */
  readonly heard: readonly string[];
  /** Resolves when the room has confirmed it. */
  leave(room: string, nick: string): Promise<void>;
  quit(): Promise<void>;
}

export interface Account {
  readonly user: string;
  readonly mechanism: string;
  /** File with the certificate that the listener shows, for libraries that check it. */
  readonly certificate: string;
}

/** Logs in; the password is the user's name. */
export type Library = (target: Target, account: Account) => Promise<Person>;

interface XmppElement {
  readonly name: string;
  readonly attrs: Readonly<Record<string, string | undefined>>;
  getChild(name: string, ns?: string): XmppElement | undefined;
  getChildren(name: string): XmppElement[];
  getChildText(name: string): string | null;
}

interface XmppClient {
  on(event: 'stanza' | 'error', listener: (element: XmppElement) => void): void;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  send(element: unknown): Promise<void>;
}

const mucUser = 'http://jabber.org/protocol/muc#user';

/** xmpp.js, by TCP or WebSocket. */
export const xmppJs: Library = async ({ access, port, path }, { user, mechanism }) => {
  const { client, xml } = await load('@xmpp/client');
  // Browsers and newer versions of Node.js have one.
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
  const service = access === 'ws' ? `ws://127.0.0.1:${port}${path}` : `xmpp://127.0.0.1:${port}`;
  const credentials = (authenticate: (what: object, mechanism: string) => Promise<void>) =>
    authenticate({ username: user, password: user }, mechanism);
  const xmpp = client({ service, domain: 'localhost', credentials, resource: `xmpp.js-${access}` }) as XmppClient;
  const heard: string[] = [];
  const own = new Set<string>();
  xmpp.on('error', () => {});
  xmpp.on('stanza', (stanza) => {
    const { from = '', type } = stanza.attrs;
    const body = stanza.getChildText('body');
    if (stanza.name === 'message' && type === 'groupchat' && body) note(heard, from, body);
    const statuses = stanza.getChild('x', mucUser)?.getChildren('status') ?? [];
    if (statuses.some((one) => one.attrs.code === '110')) own.add(`${type ?? 'available'} ${from}`);
  });
  await xmpp.start();
  await xmpp.send(xml('presence'));
  return {
    heard,
    join: async (room, nick) => {
      own.clear();
      await xmpp.send(xml('presence', { to: `${room}/${nick}` }, xml('x', 'http://jabber.org/protocol/muc')));
      await until('xmpp.js has joined', () => own.has(`available ${room}/${nick}`));
    },
    say: (room, body) => void xmpp.send(xml('message', { to: room, type: 'groupchat' }, xml('body', {}, body))),
    leave: async (room, nick) => {
      await xmpp.send(xml('presence', { to: `${room}/${nick}`, type: 'unavailable' }));
      await until('xmpp.js has left', () => own.has(`unavailable ${room}/${nick}`));
    },
    quit: async () => void (await xmpp.stop()),
  };
};

/** stanza.io, by WebSocket. */
export const stanzaIo: Library = async ({ port, path }, { user, mechanism }) => {
  const { createClient } = await load('stanza');
  const client = createClient({
    jid: `${user}@localhost`,
    password: user,
    resource: 'stanza.io',
    transports: { websocket: `ws://127.0.0.1:${port}${path}`, bosh: false },
  });
  for (const { name } of [...client.sasl.mechanisms]) if (name !== mechanism) client.sasl.disable(name);
  const heard: string[] = [];
  client.on('groupchat', ({ from, body }: { from: string; body?: string }) => {
    if (body) note(heard, from, body);
  });
  const started = new Promise<void>((resolve, reject) => {
    client.once('session:started', () => resolve());
    client.once('auth:failed', () => reject(new Error('stanza.io: authentication failed')));
    client.once('--transport-disconnected', () => reject(new Error('stanza.io: disconnected')));
  });
  client.connect();
  await started;
  client.sendPresence();
  return {
    heard,
    join: async (room, nick) => void (await client.joinRoom(room, nick)),
    say: (room, body) => void client.sendMessage({ to: room, type: 'groupchat', body }),
    leave: async (room, nick) => void (await client.leaveRoom(room, nick)),
    quit: async () => {
      const gone = new Promise((resolve) => client.once('disconnected', resolve));
      client.disconnect();
      await gone;
    },
  };
};

/** A library that manages its stream (XEP-0198), and comes back by itself when it is cut off. */
export interface Resuming {
  readonly jid: string;
  /** Messages with a body, in the order in which they came. */
  readonly heard: readonly { readonly type: string; readonly from: string; readonly body: string }[];
  /** Texts that it has written to its socket. */
  readonly sent: readonly string[];
  /** How often it has resumed its session. */
  readonly resumptions: number;
  /** Resolves when the library takes itself to be in the room. */
  join(room: string, nick: string): Promise<void>;
  say(to: string, type: 'chat' | 'groupchat', body: string): void;
  /** Ends its connection without a word. */
  cut(): void;
  disconnect(): void;
}

/** What is used of stanza.io, whose types belong to the browser. */
interface StanzaIo {
  jid: string;
  sasl: { mechanisms: { name: string }[]; disable(name: string): void };
  sm: { started: boolean; id: string };
  transport?: { socket: { terminate(): void } };
  on(event: 'raw', handler: (way: string, text: string) => void): void;
  on(event: string, handler: (data: { from: string; body?: string }) => void): void;
  once(event: string, handler: () => void): void;
  connect(): void;
  disconnect(): void;
  sendPresence(): void;
  joinRoom(room: string, nick: string): Promise<unknown>;
  sendMessage(message: object): string;
}

/**
 * stanza.io by WebSocket, available and with a session that can be resumed once it is in a room: it asks for that behind its login.
 * `onConnecting` is called before it connects, for what has to be done with it in the end.
 */
export async function resumingStanzaIo(
  { port, path }: Pick<Target, 'port' | 'path'>,
  { user, mechanism }: Pick<Account, 'user' | 'mechanism'>,
  onConnecting: (library: Resuming) => void,
): Promise<Resuming> {
  const { createClient } = await load('stanza');
  const client: StanzaIo = createClient({
    jid: `${user}@localhost`,
    password: user,
    autoReconnect: true,
    maxReconnectBackoff: 0.2,
    transports: { websocket: `ws://127.0.0.1:${port}${path}`, bosh: false },
  });
  for (const { name } of [...client.sasl.mechanisms]) if (name !== mechanism) client.sasl.disable(name);
  const heard: { type: string; from: string; body: string }[] = [];
  const sent: string[] = [];
  let resumptions = 0;
  for (const type of ['groupchat', 'chat']) {
    client.on(type, ({ from, body }) => void (body && heard.push({ type, from, body })));
  }
  client.on('raw', (way, text) => void (way === 'outgoing' && sent.push(text)));
  client.on('stream:management:resumed', () => {
    resumptions += 1;
  });
  const library: Resuming = {
    heard,
    sent,
    get jid() {
      return client.jid;
    },
    get resumptions() {
      return resumptions;
    },
    join: async (room, nick) => {
      await client.joinRoom(room, nick);
      await until('it manages its stream', () => client.sm.started && client.sm.id !== '');
    },
    say: (to, type, body) => void client.sendMessage({ to, type, body }),
    cut: () => client.transport?.socket.terminate(),
    disconnect: () => client.disconnect(),
  };
  const started = new Promise<void>((resolve) => client.once('session:started', resolve));
  onConnecting(library);
  client.connect();
  await started;
  client.sendPresence();
  return library;
}

/** Strophe, by WebSocket. */
export const strophe: Library = async ({ port, path }, { user, mechanism }) => {
  const { Strophe, $pres, $msg } = await load('strophe.js');
  Strophe.setLogLevel(Strophe.LogLevel.FATAL);
  const all = [Strophe.SASLSHA1, Strophe.SASLSHA256, Strophe.SASLSHA512, Strophe.SASLPlain];
  const mechanisms = all.filter((one) => new one().mechname === mechanism);
  const connection = new Strophe.Connection(`ws://127.0.0.1:${port}${path}`, { mechanisms });
  const heard: string[] = [];
  const own = new Set<string>();
  let onGone = (): void => {};
  const gone = new Promise<void>((resolve) => {
    onGone = resolve;
  });
  await new Promise<void>((resolve, reject) => {
    connection.connect(`${user}@localhost/strophe`, user, (status: number, reason: unknown) => {
      if (status === Strophe.Status.CONNECTED) resolve();
      else if (status === Strophe.Status.DISCONNECTED) onGone();
      else if (status === Strophe.Status.AUTHFAIL || status === Strophe.Status.CONNFAIL)
        reject(new Error(`Strophe: ${reason}`));
    });
  });
  connection.addHandler(
    (stanza: StropheElement) => {
      const from = stanza.getAttribute('from') ?? '';
      const body = stanza.getElementsByTagName('body')[0]?.textContent;
      if (stanza.getAttribute('type') === 'groupchat' && body) note(heard, from, body);
      return true;
    },
    null,
    'message',
  );
  connection.addHandler(
    (stanza: StropheElement) => {
      const statuses = Array.from(stanza.getElementsByTagName('status'));
      if (statuses.some((one) => one.getAttribute('code') === '110'))
        own.add(`${stanza.getAttribute('type') || 'available'} ${stanza.getAttribute('from')}`);
      return true;
    },
    null,
    'presence',
  );
  connection.send($pres());
  return {
    heard,
    join: async (room, nick) => {
      own.clear();
      connection.send($pres({ to: `${room}/${nick}` }).c('x', { xmlns: 'http://jabber.org/protocol/muc' }));
      await until('Strophe has joined', () => own.has(`available ${room}/${nick}`));
    },
    say: (room, body) => connection.send($msg({ to: room, type: 'groupchat' }).c('body').t(body)),
    leave: async (room, nick) => {
      connection.send($pres({ to: `${room}/${nick}`, type: 'unavailable' }));
      await until('Strophe has left', () => own.has(`unavailable ${room}/${nick}`));
    },
    quit: async () => {
      connection.disconnect();
      await gone;
    },
  };
};

interface StropheElement {
  getAttribute(name: string): string | null;
  getElementsByTagName(name: string): ArrayLike<StropheElement & { textContent: string | null }>;
}

/** slixmpp, a program of its own, by STARTTLS. */
export const slixmpp: Library = async ({ port }, { user, mechanism, certificate }) => {
  ensurePackages(packagesOf.slixmpp);
  const script = fileURLToPath(new URL('slixmpp_person.py', import.meta.url));
  // Debian's own: another one that stands before it in PATH does not know Debian's packages.
  const child = spawn(
    '/usr/bin/python3',
    [script, String(port), `${user}@localhost/slixmpp`, user, mechanism, certificate],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  const heard: string[] = [];
  let isOver = false;
  const over = new Promise<void>((resolve) =>
    child.once('close', () => {
      isOver = true;
      resolve();
    }),
  );
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  createInterface(child.stdout).on('line', (line) => {
    const [, nick, body] = /^heard (\S+) (.*)$/.exec(line) ?? [];
    if (nick) heard.push(`${nick}: ${body}`);
    else lines.push(line);
  });
  const order = (...words: string[]): void => void child.stdin.write(`${words.join(' ')}\n`);
  const event = async (wanted: string): Promise<void> => {
    await until(`slixmpp says "${wanted}", not only "${lines}"`, () => {
      const refusal = lines.find((line) => line.startsWith('refused'));
      if (refusal || isOver) throw new Error(`slixmpp: ${refusal ?? 'ended'}\n${complaints}`);
      return lines.includes(wanted);
    });
    lines.splice(lines.indexOf(wanted), 1);
  };
  try {
    await event('online');
  } catch (error) {
    child.kill();
    throw error;
  }
  return {
    heard,
    join: async (room, nick) => {
      order('join', room, nick);
      await event(`joined ${room}`);
    },
    say: (room, body) => order('say', room, body),
    leave: async (room, nick) => {
      order('leave', room, nick);
      await event(`left ${room}`);
    },
    quit: async () => {
      order('quit');
      await over;
    },
  };
};

/** What the room itself says is no talk: mu-conference greets. */
function note(heard: string[], from: string, body: string): void {
  const [, nick] = from.split('/');
  if (nick) heard.push(`${nick}: ${body}`);
}

/** Some have no types, others' are of no use here. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
export function load(name: string): Promise<any> {
  return import(name);
}
