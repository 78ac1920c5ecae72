/** Slow clients where the proxy keeps the session (S9, X3): their server is slowed down, and nothing is lost. */
import { bodies, openDevice, plainServer } from './support/plain-server.ts';
import { assert, ns, scenarios } from './support/scenario.ts';

const scenario = scenarios('resume-own-slow', { limitMs: 60_000 });

scenario(
  'X3',
  'a client that has stopped reading slows its server down, and gets all over another connection',
  async (scene) => {
    const plain = await plainServer(scene);
    const bob = await plain.direct('bob');
    const phone = await openDevice(scene, plain, 'phone');
    const from = phone.heard.length;
    phone.client.stream.pause();
    const ids: string[] = [];
    // More than may wait for a client that is there.
    for (let count = 0; count < 240; count += 1) {
      ids.push(`m${count}`);
      bob.send(`<message type='chat' id='m${count}' to='${phone.jid}'><body>${'x'.repeat(50_000)}</body></message>`);
      if (count % 10 === 9) await bob.fence();
    }
    await phone.resume({ target: plain.through.target('tcp'), isTakeover: true });
    await phone.client.pick(`<message type='chat' id='m239'/>`, { limitMs: 20_000 });
    await phone.client.fence();
    assert.equal(bodies(phone.heard.slice(from), bob.jid), ids);
  },
  { except: ['ownHibernation'] },
);

scenario(
  'X3',
  'a client that acknowledges late slows its server down, and then gets all over the same connection',
  async (scene) => {
    const plain = await plainServer(scene);
    const bob = await plain.direct('bob');
    const phone = await openDevice(scene, plain, 'phone');
    const { sm } = phone.client;
    assert.ok(sm);
    sm.isAnswering = false;
    const from = phone.heard.length;
    const ids: string[] = [];
    // More than may wait for a client that is there.
    for (let count = 0; count < 240; count += 1) {
      ids.push(`m${count}`);
      bob.send(`<message type='chat' id='m${count}' to='${phone.jid}'><body>${'x'.repeat(50_000)}</body></message>`);
      if (count % 10 === 9) await bob.fence();
    }
    // As much as the proxy lets through has been read.
    await phone.client.pick(`<message type='chat' id='m40'/>`);
    sm.isAnswering = true;
    phone.client.send(`<a xmlns='${ns.sm}' h='${sm.inbound}'/>`);
    await phone.client.pick(`<message type='chat' id='m239'/>`, { limitMs: 20_000 });
    assert.equal(bodies(phone.heard.slice(from), bob.jid), ids);
  },
  { except: ['ownHibernation'] },
);

scenario.run();
