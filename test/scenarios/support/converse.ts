/** converse.js in a browser: a whole chat client, which is told what to do by its own interface. */
import { fileURLToPath } from 'node:url';
import type { TestContext } from '../../support/suite.ts';
import { openPage, type Page } from './browser.ts';
import { until } from './witness.ts';

const dist = fileURLToPath(new URL('../../../node_modules/converse.js/dist', import.meta.url));

export interface BrowserClient {
  readonly page: Page;
  join(room: string, nick: string): Promise<void>;
  /** Waits until the client takes itself to be in the room. */
  isInside(room: string): Promise<void>;
  say(room: string, body: string): Promise<void>;
  /** What it shows of the room, as `nick: text`. */
  heard(room: string): Promise<string[]>;
  /** Nicks that it shows as present, sorted. */
  present(room: string): Promise<string[]>;
  /** Waits until the browser has stored what it shows of the room: a page that is loaded anew goes on from there. */
  hasStored(room: string): Promise<void>;
  /** Its connection goes, and nothing is said before. It comes back by itself. */
  drop(): Promise<void>;
  leave(room: string): Promise<void>;
}

export interface ConverseOptions {
  user: string;
  /** Of the WebSocket listener. */
  port: number;
  path: string;
}

/** Opens it and waits until it is logged in. */
export async function converse(test: Pick<TestContext, 'after'>, options: ConverseOptions): Promise<BrowserClient> {
  const page = await openPage(test, pageOf(options), dist);
  const loggedIn = 'window.chat !== undefined && chat.connection.connected() === true';
  await holds(page, 'converse.js has logged in', loggedIn);
  const name = (room: string) => JSON.stringify(room);
  const inside = (room: string) =>
    holds(
      page,
      'converse.js is in the room',
      `(async () => (await chat.rooms.get(${name(room)}))?.session.get('connection_status') === converse.ROOMSTATUS.ENTERED)()`,
    );
  return {
    page,
    async join(room, nick) {
      await page.evaluate(`chat.rooms.open(${name(room)}, { nick: ${name(nick)} }, true).then(() => true)`);
      await inside(room);
    },
    async isInside(room) {
      await holds(page, 'converse.js has logged in again', loggedIn);
      await inside(room);
    },
    async say(room, body) {
      await page.evaluate(
        `chat.rooms.get(${name(room)}).then((room) => room.sendMessage({ body: ${JSON.stringify(body)} })).then(() => true)`,
      );
    },
    heard: (room) =>
      page.evaluate(
        `chat.rooms.get(${name(room)}).then((room) => room.messages.models.filter((one) => one.get('type') === 'groupchat' && one.get('body')).map((one) => one.get('nick') + ': ' + one.get('body')))`,
      ),
    present: (room) =>
      page.evaluate(
        `chat.rooms.get(${name(room)}).then((room) => room.occupants.models.filter((one) => one.get('show') && one.get('show') !== 'offline').map((one) => one.get('nick')).sort())`,
      ),
    async hasStored(room) {
      const stored = `chat.rooms.get(${name(room)}).then(async ({ messages }) => {
        const { store, name } = messages.browserStorage;
        return ((await store.getItem(name)) ?? []).length === messages.length;
      })`;
      await holds(page, 'the browser has stored it', stored);
    },
    async drop() {
      await page.evaluate('internal.connection._proto.socket.close(), true');
    },
    async leave(room) {
      await page.evaluate(`chat.rooms.get(${name(room)}).then((room) => room.leave()).then(() => true)`);
    },
  };
}

async function holds(page: Page, what: string, expression: string): Promise<void> {
  await until(what, () => page.evaluate<boolean>(expression), 15_000).catch((error: Error) => {
    throw new Error(`${error.message}; on its console:\n${page.console.slice(-20).join('\n')}`);
  });
}

function pageOf({ user, port, path }: ConverseOptions): string {
  const settings = {
    websocket_url: `ws://127.0.0.1:${port}${path}`,
    discover_connection_methods: false,
    authentication: 'login',
    auto_login: true,
    jid: `${user}@localhost/web`,
    password: user,
    enable_smacks: true,
    assets_path: '/dist/',
    i18n: 'en',
    view_mode: 'fullscreen',
    play_sounds: false,
    show_desktop_notifications: false,
    whitelisted_plugins: ['play'],
    loglevel: 'warn',
  };
  return `<!doctype html><meta charset="utf-8"><title>chat</title><link rel="stylesheet" href="/dist/converse.min.css">
<body><script src="/dist/converse.min.js"></script><script>
converse.plugins.add('play', { initialize() { window.internal = this._converse; window.chat = this._converse.api; } });
converse.initialize(${JSON.stringify(settings)});
</script></body>`;
}
