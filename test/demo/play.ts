/** The conversation of the demonstration. */
import { type Client, login, type Target } from '../support/client.ts';
import { createRoom, joinPresence, sayInRoom } from '../support/room.ts';
import type { Actor, Stage } from './stage.ts';

export interface Places {
  /** The server itself. */
  readonly server: Target;
  /** The proxy in front of it. */
  readonly tcp: Target;
  readonly websocket: Target;
  readonly room: string;
}

/** Plays it to the end; the clients have gone afterwards. */
export async function play(stage: Stage, at: Places): Promise<void> {
  const { room } = at;
  const bob: Actor = {
    name: 'bob (direct)',
    client: await login(at.server, { user: 'bob', presence: 0 }),
    known: new Set(),
  };
  await createRoom(bob.client, `${room}/bob`);

  stage.title('1. Two devices of one account join. The room sees one join.');
  const phone = await device(at.tcp, 'phone');
  join(stage, phone, room);
  await stage.sees(phone, room);
  await stage.sees(bob, room);
  const laptop = await device(at.websocket, 'laptop');
  join(stage, laptop, room);
  await stage.sees(laptop, room);
  await stage.sees(bob, room);

  stage.title('2. They talk. Each message crosses the server once for the account, and reaches both devices.');
  await say(stage, bob, room, 'hello alice', [bob, phone, laptop]);
  await say(stage, phone, room, 'hello bob, from my phone', [bob, phone, laptop]);

  stage.title(
    "3. The phone loses its connection: it carried the account's place, which is handed over. The room sees no leave.",
  );
  stage.does(phone.name, 'connection reset');
  await phone.client.drop();
  await say(stage, bob, room, 'are you still there?', [bob, laptop]);

  stage.title('4. The phone returns and joins again. The room sees nothing; the phone gets what it has missed.');
  const again = await device(at.tcp, 'phone');
  join(stage, again, room);
  await stage.sees(again, room);
  await stage.sees(bob, room);

  stage.title('5. One device leaves. It hears no more; the account stays for the other.');
  stage.does(laptop.name, 'leaves the room');
  laptop.client.send(`<presence type='unavailable' to='${room}/alice'/>`);
  await stage.sees(laptop, room);
  await say(stage, bob, room, 'who is left?', [bob, again, laptop]);

  stage.title('6. A kick reaches every device that is in the room.');
  join(stage, laptop, room);
  await stage.sees(laptop, room);
  stage.does(bob.name, 'kicks alice');
  await bob.client.iq(
    `<iq type='set' to='${room}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='alice' role='none'/></query></iq>`,
  );
  await stage.sees(bob, room);
  await stage.sees(again, room);
  await stage.sees(laptop, room);

  await Promise.all([bob, again, laptop].map(({ client }) => client.end()));
}

/** Modern clients insist on SCRAM: the proxy never sees the password, and the room is carried by the devices' own streams. */
async function device(target: Target, resource: string): Promise<Actor> {
  const client: Client = await login(target, { user: 'alice', mechanism: 'SCRAM-SHA-1', resource, presence: 0 });
  return { name: `alice/${resource}`, client, known: new Set() };
}

function join(stage: Stage, actor: Actor, room: string): void {
  stage.does(actor.name, `joins as alice (${actor.name.endsWith('phone') ? 'TCP' : 'WebSocket'}, SCRAM)`);
  actor.client.send(joinPresence(`${room}/alice`));
}

async function say(
  stage: Stage,
  speaker: Actor,
  room: string,
  text: string,
  audience: readonly Actor[],
): Promise<void> {
  stage.does(speaker.name, `says "${text}"`);
  sayInRoom(speaker.client, room, text);
  await speaker.client.fence({ room }).then((arrived) => {
    for (const one of arrived) speaker.client.stream.inbox.add(one);
  });
  for (const actor of audience) await stage.sees(actor, room);
}
