/** A client library that others have written manages its stream through the proxy: it is cut off, and resumes by itself (S9). */
import { WebSocket } from 'ws';
import { createRoom } from '../support/room.ts';
import { breakable } from './support/breakable.ts';
import { load, resumingStanzaIo } from './support/libraries.ts';
import { assert, stages } from './support/stage.ts';
import { said, until } from './support/witness.ts';

const stage = stages('resume-library', { limitMs: 60_000 });

for (const mechanism of ['PLAIN', 'SCRAM-SHA-1']) {
  stage(
    'S9',
    `stanza.io, logged in with ${mechanism}, is cut off again and again, resumes each time, and misses and doubles nothing`,
    async (scene) => {
      const room = scene.newRoom();
      const proxy = await scene.proxy();
      const bob = await scene.direct('bob');
      await createRoom(bob, `${room}/bob`);
      const user = await scene.user('al');
      const client = await resumingStanzaIo(proxy.at('ws'), { user, mechanism }, (library) =>
        scene.after(async () => {
          library.disconnect();
          await until('it has gone', () => proxy.app.census().sessions === 0);
        }),
      );
      const heard = (type: string): string[] => client.heard.filter((one) => one.type === type).map(({ body }) => body);
      await client.join(room, 'al');
      const wanted: string[] = [];
      const wantedChats: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        client.say(room, 'groupchat', `mine ${round}`);
        await bob.pick(`<message type='groupchat' from='${room}/al'><body>mine ${round}</body></message>`);
        // On its way while the connection breaks.
        bob.send(`<message type='groupchat' id='r${round}' to='${room}'><body>theirs ${round}</body></message>`);
        client.cut();
        await bob.pick(said(room, 'bob', `r${round}`));
        bob.send(`<message type='chat' to='${user}@localhost'><body>chat ${round}</body></message>`);
        await bob.fence({ room });
        wanted.push(`mine ${round}`, `theirs ${round}`);
        wantedChats.push(`chat ${round}`);
        await until('it has resumed', () => client.resumptions === round + 1, 15_000);
        await until('it has heard all', () => client.heard.length >= wanted.length + wantedChats.length);
      }
      client.say(room, 'groupchat', 'the end');
      await until('it has heard the end', () => heard('groupchat').includes('the end'));
      assert.equal(heard('groupchat'), [...wanted, 'the end']);
      assert.equal(heard('chat'), wantedChats);
      await bob.expectNothing({
        room,
        except: [
          `<message type='groupchat' from='${room}/al'><body>the end</body></message>`,
          `<presence from='${room}/al'/>`,
        ],
      });
    },
    // At jabberd2 itself its joins never end: it takes the client's own <x/>, which mu-conference reflects, for the room's.
    { on: ['prosody', 'ejabberd'] },
  );
}

/** What is used of xmpp.js, whose types are not published. */
interface XmppJs {
  reconnect: { delay: number };
  streamManagement: { enabled: boolean; id: string; on(event: 'resumed' | 'fail', handler: () => void): void };
  on(event: 'stanza' | 'error', handler: (stanza: XmppJsElement) => void): void;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  send(element: unknown): Promise<void>;
}

interface XmppJsElement {
  name: string;
  attrs: Record<string, string | undefined>;
  getChildText(name: string): string | null;
}

for (const access of ['tcp', 'ws'] as const) {
  stage(
    'S9',
    `xmpp.js by ${access} is cut off again and again, resumes each time, and misses and doubles nothing`,
    async (scene) => {
      const room = scene.newRoom();
      const proxy = await scene.proxy();
      const { port, path = '' } = proxy.at(access);
      const way = await breakable(port);
      scene.after(() => way.stop());
      const bob = await scene.direct('bob');
      await createRoom(bob, `${room}/bob`);
      const user = await scene.user('al');
      const { client: open, xml } = await load('@xmpp/client');
      globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
      const at = way.upstream.replace('xmpp://', '');
      const client = open({
        service: access === 'ws' ? `ws://${at}${path}` : `xmpp://${at}`,
        domain: 'localhost',
        credentials: (authenticate: (what: object, mechanism: string) => Promise<void>) =>
          authenticate({ username: user, password: user }, 'PLAIN'),
      }) as unknown as XmppJs;
      client.reconnect.delay = 50;
      const heard: string[] = [];
      const chats: string[] = [];
      let resumptions = 0;
      client.on('error', () => {});
      client.on('stanza', (stanza) => {
        const body = stanza.getChildText('body');
        if (stanza.name !== 'message' || !body) return;
        if (stanza.attrs.type === 'chat') chats.push(body);
        // COMPAT: mu-conference greets in the room's own name.
        else if (stanza.attrs.from?.includes('/')) heard.push(body);
      });
      client.streamManagement.on('resumed', () => {
        resumptions += 1;
      });
      await client.start();
      scene.after(async () => {
        await client.stop();
        await until('it has gone', () => proxy.app.census().sessions === 0);
      });
      await until('it manages its stream', () => client.streamManagement.enabled && client.streamManagement.id !== '');
      const say = (body: string) => client.send(xml('message', { to: room, type: 'groupchat' }, xml('body', {}, body)));
      await client.send(xml('presence'));
      await client.send(xml('presence', { to: `${room}/al` }, xml('x', { xmlns: 'http://jabber.org/protocol/muc' })));
      const wanted: string[] = [];
      const wantedChats: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        await say(`mine ${round}`);
        await bob.pick(`<message type='groupchat' from='${room}/al'><body>mine ${round}</body></message>`);
        await until('it has heard itself', () => heard.includes(`mine ${round}`));
        way.break();
        bob.send(`<message type='groupchat' id='r${round}' to='${room}'><body>theirs ${round}</body></message>`);
        await bob.pick(said(room, 'bob', `r${round}`));
        bob.send(`<message type='chat' to='${user}@localhost'><body>chat ${round}</body></message>`);
        await bob.fence({ room });
        wanted.push(`mine ${round}`, `theirs ${round}`);
        wantedChats.push(`chat ${round}`);
        await until('it has resumed', () => resumptions === round + 1);
        await until('it has heard all', () => heard.length >= wanted.length && chats.length >= wantedChats.length);
      }
      await say('the end');
      await until('it has heard the end', () => heard.includes('the end'));
      assert.equal(heard, [...wanted, 'the end']);
      assert.equal(chats, wantedChats);
    },
    // Where the proxy itself manages the stream; the others are shown with stanza.io.
    { on: ['jabberd2'] },
  );
}

stage.run();
