/** How a cell with the carrier `parked` begins: the account is in the room before its first device is. */
import type { Client } from '../../support/client.ts';
import type { Element } from '../../support/element.ts';
import type { TestProxy, Transport } from '../../support/proxy.ts';
import { joinRoom } from '../../support/room.ts';
import { until } from './until.ts';

/** What this needs to know of a device that is to log in. */
interface Choice {
  device?: string;
  transport?: Transport;
  isSilent?: boolean;
}

export interface Beginning<C extends Choice> {
  readonly proxy: TestProxy;
  /** Of the account's occupant. */
  readonly address: string;
  /** Whether the room sees nothing when its place is taken over. */
  readonly isUnseen: boolean;
  /** Clients of other accounts, which may be in the room. */
  readonly observers: readonly Client[];
  /** Logs one of the account's devices in. */
  enter(options: C | Choice): Promise<Client>;
}

/** Such a cell's proxy: a room is not to see by the presence that nobody is there meanwhile. */
export const config = { presence: { absent: 'last' } };

/**
 * The account is in the room by a stream that a device has left behind; then it logs in, and has taken over. To who is in the room it has
 * come once.
 */
export async function beginParked<C extends Choice>(
  { proxy, address, isUnseen, observers, enter }: Beginning<C>,
  options: C,
): Promise<Client> {
  const before = await enter({ device: 'before', transport: 'tcp' });
  await joinRoom(before, address);
  const { parked } = proxy.app.census();
  const isParked = (more: number): boolean => proxy.app.census().parked === parked + more;
  await before.drop();
  await until('its stream is parked', () => isParked(1), 20_000);
  const client = await enter(options);
  // One that is not available yet takes nothing over.
  if (options.isSilent) return client;
  await until('its rooms are taken over', () => isParked(0));
  for (const observer of observers) await forgetBefore(observer, address, isUnseen);
  return client;
}

/** Of what an observer has seen of the occupant only the last is left. */
async function forgetBefore(observer: Client, address: string, isUnseen: boolean): Promise<void> {
  const room = address.slice(0, address.indexOf('/'));
  const isOccupants = (one: Element): boolean => one.name === 'presence' && one.from === address;
  let seen: Element[] = [];
  await until('the account is back', async () => {
    const arrived = await observer.fence({ room });
    for (const one of arrived) if (!isOccupants(one)) observer.stream.inbox.add(one);
    seen = [...seen, ...arrived.filter(isOccupants)];
    // Who is not in the room sees nothing.
    if (seen.length === 0) return true;
    return seen.at(-1)?.type === undefined && (isUnseen || seen.some(({ type }) => type === 'unavailable'));
  });
  const last = seen.at(-1);
  if (last) observer.stream.inbox.add(last);
}
