/** A whole account on its way from one home to the next: its state, its timers, its channels. */
import { serviceOf } from '../../core/occupancy.ts';
import { fromPortable, type Portable, toPortable } from '../../core/portable.ts';
import type { NickFacts, Services } from '../../core/services.ts';
import type { AccountState, CarrierId, SessionId, Settings } from '../../core/state.ts';
import type { ChannelState } from './channel.ts';
import { Payload, Reading, type TextRef } from './envelope.ts';

/** A node that takes part in the account, as the next home is to know it. */
export interface MovedGuest {
  readonly node: string;
  readonly channel: ChannelState;
  readonly sessions: readonly SessionId[];
  readonly carriers: readonly CarrierId[];
  readonly hasCredentials: boolean;
}

export interface House {
  readonly state: AccountState;
  readonly timers: readonly { readonly key: string; readonly ms: number }[];
  readonly guests: readonly MovedGuest[];
}

type HouseItem =
  | { readonly kind: 'state'; readonly settings: Record<string, unknown>; readonly portable: Portable }
  /** What is known of the rooms' services. */
  | { readonly kind: 'services'; readonly nicks: readonly (NickFacts & { readonly service: string })[] }
  | { readonly kind: 'timers'; readonly timers: House['timers'] }
  | {
      readonly kind: 'guest';
      readonly guest: Omit<MovedGuest, 'channel'>;
      readonly channel: Omit<ChannelState, 'unseen'>;
      readonly unseen: readonly { readonly number: number; readonly payload: TextRef }[];
    };

export function packHouse({ state, timers, guests }: House, now: number): Buffer {
  const payload = new Payload<HouseItem>();
  const portable = toPortable(state, { put: (text) => payload.text(text) }, now);
  payload.add({ kind: 'state', settings: writeSettings(state.settings), portable });
  payload.add({ kind: 'services', nicks: nicksOf(state) });
  payload.add({ kind: 'timers', timers });
  for (const { channel, ...guest } of guests) {
    const { unseen, ...rest } = channel;
    const kept = unseen.map(({ number, payload: text }) => ({ number, payload: payload.text(text) }));
    payload.add({ kind: 'guest', guest, channel: rest, unseen: kept });
  }
  return payload.seal();
}

function nicksOf({ rooms, services }: AccountState): (NickFacts & { service: string })[] {
  return [...new Set([...rooms.values()].map(serviceOf))].map((service) => {
    const { nickRefusedUntil, nickSharedUntil } = services.facts(service);
    return { service, nickRefusedUntil, nickSharedUntil };
  });
}

/** What is known of services is added to `services`. @throws Error on what no node has written */
export function unpackHouse(bytes: Buffer, bare: string, services: Services, now: number): House {
  const reading = new Reading<HouseItem>(bytes);
  let state: AccountState | undefined;
  let timers: House['timers'] = [];
  const guests: MovedGuest[] = [];
  for (const item of reading.items) {
    if (item.kind === 'state') {
      const around = { bare, settings: readSettings(item.settings), services };
      state = fromPortable(item.portable, { get: (ref) => reading.text(ref) }, around);
    } else if (item.kind === 'services') {
      for (const { service, ...nicks } of item.nicks) services.hearNicks(service, nicks, now);
    } else if (item.kind === 'timers') timers = item.timers;
    else {
      const unseen = item.unseen.map(({ number, payload }) => ({
        number,
        payload: Buffer.from(reading.text(payload)),
      }));
      guests.push({ ...item.guest, channel: { ...item.channel, unseen } });
    }
  }
  if (!state) throw new SyntaxError('no state in it');
  return { state, timers, guests };
}

/** The account's settings alone. */
export function readHouseSettings(bytes: Buffer): Settings {
  for (const item of new Reading<HouseItem>(bytes).items) if (item.kind === 'state') return readSettings(item.settings);
  throw new SyntaxError('no state in it');
}

/** JSON knows no endless time. */
function writeSettings(settings: Settings): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, value === Infinity ? 'forever' : value]),
  );
}

function readSettings(settings: Record<string, unknown>): Settings {
  const entries = Object.entries(settings).map(([key, value]) => [key, value === 'forever' ? Infinity : value]);
  return Object.fromEntries(entries) as Settings;
}
