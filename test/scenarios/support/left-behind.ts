/** How a cell with the carrier `parked` begins: the account is in the room before its first device. */
import type { Client } from '../../support/client.ts';
import type { TestProxy, Transport } from '../../support/proxy.ts';
import { joinRoom } from '../../support/room.ts';
import { until } from './until.ts';

/** What this needs to know of a device that is to log in. */
interface Choice {
  device?: string;
  transport?: Transport;
  isSilent?: boolean;
}

/**
 * The account is in the room by a stream that a device has left behind; then it logs in, and has taken over.
 */
export async function beginParked<C extends Choice>(
  proxy: TestProxy,
  address: string,
  enter: (options: C | Choice) => Promise<Client>,
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
  if (!options.isSilent) await until('its rooms are taken over', () => isParked(0));
  return client;
}
