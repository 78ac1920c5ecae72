/** A device whose stream is parked when it has gone. */
import { type Client, joinRoom, type Scene } from './scenario.ts';
import { until, type Witness, watch } from './witness.ts';

/** Alice's only device, in the room. */
export interface Alone {
  readonly witness: Witness;
  readonly desk: Client;
}

export async function alone(scene: Scene): Promise<Alone> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  await joinRoom(desk, `${scene.room}/al`);
  return { witness, desk };
}

/** It has gone, and its stream is parked. */
export async function parkedAlone(scene: Scene): Promise<Alone> {
  const one = await alone(scene);
  await dropsParked(scene, one.desk);
  return one;
}

/** The proxy keeps so many streams of clients that have gone. */
export function untilParked({ proxy }: Scene, count = 1): Promise<void> {
  const isSo = () => {
    const { parked, sessions } = proxy.app.census();
    return parked === count && (count === 0 || sessions === 0);
  };
  // A session that could be resumed is given its time first.
  return until(`${count} streams are parked`, isSo, 20_000);
}

/** The connection breaks, and the device's stream is parked. */
export async function dropsParked(scene: Scene, client: Client): Promise<void> {
  await client.drop();
  await untilParked(scene);
}

/** A session of its own for an account: it has taken over what was parked, and the old stream has ended. */
export async function comesBack(scene: Scene, role: string, device: string): Promise<Client> {
  const client = await scene.login(role, { device });
  await untilParked(scene, 0);
  return client;
}
