/** Every message of a room is accounted for: who said it, who heard it, in which order, how often; or who was told that it was refused. */
import { assert, type Client, type Element, sayInRoom } from './scenario.ts';
import { said, type Witness } from './witness.ts';

/** How long what was held up by a fault may take (ms). */
const SETTLE_MS = 45_000;

/** An account's devices and the witness talk, and what is said is written down. */
export class Talk {
  readonly #witness: Witness;
  readonly #nick: string;
  readonly #devices: readonly Client[];
  /** Ids of messages by who has said them, in order. */
  readonly #said = new Map<Client, string[]>();

  /** All of them are in the witness's room, the devices as `nick`. */
  constructor(witness: Witness, nick: string, devices: readonly Client[]) {
    this.#witness = witness;
    this.#nick = nick;
    this.#devices = devices;
    for (const client of [witness.client, ...devices]) this.#said.set(client, []);
  }

  /** Everybody says something, so many times. */
  async rounds(count: number, pauseMs = 50): Promise<void> {
    for (let round = 0; round < count; round += 1) {
      for (const [client, ids] of this.#said) ids.push(sayInRoom(client, this.#witness.room, `round ${round}`));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /**
   * Waits until nothing is on its way any more, and compares what was said since the last time. What was refused is heard by nobody, and
   * its sender has one error for it. Nobody has come or gone.
   */
  async settle({ mayRefuse = false } = {}): Promise<void> {
    const { room, client: watcher } = this.#witness;
    const marks: (string | undefined)[] = [];
    for (const device of this.#devices) {
      const id = sayInRoom(device, room, 'the last of mine');
      marks.push(id);
      await watcher.pick(said(room, this.#nick, id), { limitMs: SETTLE_MS });
    }
    const last = await this.#witness.say('the last of all');
    marks.push(last);
    assert.equal(await this.#witness.sees(), []);
    const truth = await messages(watcher, room);
    assert.is(new Set(truth.heard).size, truth.heard.length, 'the room shows nothing twice');
    for (const [client, own] of this.#said) {
      const { heard, refused } = client === watcher ? truth : await messages(client, room, last);
      if (!mayRefuse) assert.equal(refused, [], 'nothing is refused');
      assert.is(new Set(refused).size, refused.length, 'nothing is refused twice');
      const arrived = own.filter((id) => !refused.includes(id));
      const shown = truth.heard.filter((id) => own.includes(id));
      assert.equal(shown, arrived, 'the room has what was not refused, in the order in which it was said');
      const known = heard.filter((id) => !marks.includes(id));
      assert.equal(known, truth.heard, `${client.jid} hears what the room says, in its order, once`);
      own.length = 0;
    }
  }
}

/** Ids of what was said and of what was refused, up to the fence, and the witness's message where one is given. */
async function messages(client: Client, room: string, last?: string): Promise<{ heard: string[]; refused: string[] }> {
  const before = last === undefined ? [] : await client.upTo(said(room, 'witness', last), { limitMs: SETTLE_MS });
  const all: Element[] = [...before, ...(await client.fence({ room }))].filter(({ name }) => name === 'message');
  const ids = (some: Element[]): string[] => some.map(({ id }) => id ?? '');
  return {
    heard: ids(all.filter((one) => one.type === 'groupchat' && one.child('body') !== undefined)),
    refused: ids(all.filter(({ type }) => type === 'error')),
  };
}
