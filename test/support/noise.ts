/** What servers send of their own accord, and few tests are about. */
import { type Element, ns } from './element.ts';

/** Whether other resources of the own account, or the client itself, come or go. */
export function isOwnPresence(element: Element, bareJid: string): boolean {
  const isAvailability = element.name === 'presence' && (element.type ?? 'unavailable') === 'unavailable';
  return isAvailability && bareJid !== '' && (element.from ?? '').startsWith(`${bareJid}/`);
}

/** ejabberd and Prosody send presence of the room itself, mu-conference greets by messages without an id. */
export function isRoomNoise(element: Element): boolean {
  const from = element.from ?? '';
  if (from.includes('/') || !/^[^@]+@conference\./.test(from)) return false;
  if (element.name === 'presence') return !element.child('x', ns.mucUser) && element.type !== 'error';
  const isGreeting = element.name === 'message' && element.id === undefined && element.child('body') !== undefined;
  return isGreeting && !element.child('subject') && !element.child('x');
}
