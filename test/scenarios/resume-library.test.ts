/** A client library that others have written manages its stream through the proxy: it is cut off, and resumes by itself (S9). */
import { createRoom } from '../support/room.ts';
import { assert, stages } from './support/stage.ts';
import { said, until } from './support/witness.ts';

const stage = stages('resume-library', { limitMs: 60_000 });

/** What is used of stanza.io, whose types belong to the browser. */
interface StanzaIo {
  sasl: { mechanisms: { name: string }[]; disable(name: string): void };
  sm: { unacked: unknown[]; started: boolean; id: string };
  transport?: { socket: { terminate(): void } };
  on(event: string, handler: (data: { from: string; body?: string; id?: string }) => void): void;
  once(event: string, handler: () => void): void;
  connect(): void;
  disconnect(): void;
  sendPresence(): void;
  joinRoom(room: string, nick: string): Promise<unknown>;
  sendMessage(message: object): string;
}

for (const carrier of ['account stream', 'borrowed carrier']) {
  stage(
    'S9',
    `stanza.io with ${carrier === 'borrowed carrier' ? 'a' : 'an'} ${carrier} is cut off again and again, resumes each time, and misses and doubles nothing`,
    async (scene) => {
      const stronger = scene.server.name === 'jabberd2' ? 'DIGEST-MD5' : 'SCRAM-SHA-1';
      const mechanism = carrier === 'account stream' ? 'PLAIN' : stronger;
      const room = scene.newRoom();
      const proxy = await scene.proxy();
      const bob = await scene.direct('bob');
      await createRoom(bob, `${room}/bob`);
      const user = await scene.user('al');
      const { createClient } = await import('stanza');
      const { port, path } = proxy.at('ws');
      const client = createClient({
        jid: `${user}@localhost`,
        password: user,
        autoReconnect: true,
        maxReconnectBackoff: 0.2,
        transports: { websocket: `ws://127.0.0.1:${port}${path}`, bosh: false },
      }) as unknown as StanzaIo;
      for (const { name } of [...client.sasl.mechanisms]) if (name !== mechanism) client.sasl.disable(name);
      const heard: string[] = [];
      const chats: string[] = [];
      let resumptions = 0;
      client.on('groupchat', ({ body }) => void (body && heard.push(body)));
      client.on('chat', ({ body }) => void (body && chats.push(body)));
      client.on('stream:management:resumed', () => {
        resumptions += 1;
      });
      const started = new Promise<void>((resolve) => client.once('session:started', resolve));
      client.connect();
      scene.after(async () => {
        client.disconnect();
        await until('it has gone', () => proxy.app.census().sessions === 0);
      });
      await started;
      client.sendPresence();
      await client.joinRoom(room, 'al');
      await until('it manages its stream', () => client.sm.started && client.sm.id !== '');
      const wanted: string[] = [];
      const wantedChats: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        client.sendMessage({ to: room, type: 'groupchat', body: `mine ${round}` });
        await bob.pick(`<message type='groupchat' from='${room}/al'><body>mine ${round}</body></message>`);
        // On its way while the connection breaks.
        bob.send(`<message type='groupchat' id='r${round}' to='${room}'><body>theirs ${round}</body></message>`);
        client.transport?.socket.terminate();
        await bob.pick(said(room, 'bob', `r${round}`));
        bob.send(`<message type='chat' to='${user}@localhost'><body>chat ${round}</body></message>`);
        await bob.fence({ room });
        wanted.push(`mine ${round}`, `theirs ${round}`);
        wantedChats.push(`chat ${round}`);
        await until('it has resumed', () => resumptions === round + 1, 15_000);
        await until('it has heard all', () => heard.length >= wanted.length && chats.length >= wantedChats.length);
      }
      client.sendMessage({ to: room, type: 'groupchat', body: 'the end' });
      await until('it has heard the end', () => heard.includes('the end'));
      assert.equal(heard, [...wanted, 'the end']);
      assert.equal(chats, wantedChats);
      await bob.expectNothing({
        room,
        except: [
          `<message type='groupchat' from='${room}/al'><body>the end</body></message>`,
          `<presence from='${room}/al'/>`,
        ],
      });
    },
  );
}

stage.run();
