/** Devices: what of an account's clients stays the same over their connections. */
import { nickKey } from '../xml/address.ts';

/** What a client is known by when it comes back: the resource that it asks for, normalised; undefined when it asks for none. */
export function deviceOf(asked: string | undefined): string | undefined {
  return asked === undefined || asked === '' ? undefined : (nickKey(asked) ?? asked);
}
