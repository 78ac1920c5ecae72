/**
 * The carrier profile of a server, found out at run time (DESIGN "Carriers", SERVER_FACTS a): whether a session that has sent
 * no presence hears its rooms' presences, and what to do where it does not.
 */
import type { Leg } from '../net/leg.ts';
import { NS } from '../xml/names.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';

/** A list stored in the account; the name is the proxy's own so that it collides with nobody's. */
const LIST = 'minimix-proxy-rooms';
const ANSWER_MS = 10_000;

/** Namespace of the acknowledgements before XEP-0198, which jabberd2 declares on its stream header. */
const JABBERD2_SIGN = 'http://www.xmpp.org/extensions/xep-0198.html#ns';
/** What is assumed to be safe on a carrier: below the limits of Prosody and of ejabberd as packaged, and of jabberd2 (SERVER_FACTS l). */
const USUAL_BYTES = 250_000;
const JABBERD2_BYTES = 65_000;

/**
 * How an account stream stays invisible and still hears its rooms: `silent` sends no presence but to rooms;
 * `privacy-list` sends presence with priority -1 behind a list that lets none of it out.
 */
export type CarrierProfile = 'silent' | 'privacy-list';

/** COMPAT: jabberd2 2.7 drops presence for sessions that have sent none of their own. */
export function profileOf(serverHeader: StreamHeader): CarrierProfile {
  return isJabberd2(serverHeader) ? 'privacy-list' : 'silent';
}

/** Largest stanza for a carrier of that server, where the configuration does not say. */
export function carrierStanzaBytes(serverHeader: StreamHeader): number {
  return isJabberd2(serverHeader) ? JABBERD2_BYTES : USUAL_BYTES;
}

function isJabberd2(serverHeader: StreamHeader): boolean {
  return [...serverHeader.declarations.values()].includes(JABBERD2_SIGN);
}

/** Makes presences of rooms reach the stream, and nothing of the stream reach contacts. */
export async function becomeReachable(leg: Leg, profile: CarrierProfile, token: string): Promise<void> {
  if (profile === 'silent') return;
  const deny = (order: number, value: string): string =>
    `<item action='deny' order='${order}' type='subscription' value='${value}'><presence-out/></item>`;
  const list = `<list name='${LIST}'>${deny(1, 'both')}${deny(2, 'from')}</list>`;
  const query = (content: string): string => `<query xmlns='${NS.privacy}'>${content}</query>`;
  await ask(leg, `list-${token}`, "type='set'", query(list));
  const active = await ask(leg, `active-${token}`, "type='set'", query(`<active name='${LIST}'/>`));
  if (active.type === 'error')
    throw new Error('The server refused the privacy list that keeps the account stream invisible.');
  leg.send('<presence><priority>-1</priority></presence>');
}

/** Sends one IQ on a stream that is used for nothing else yet, and waits for its answer. The leg is held again afterwards. */
function ask(leg: Leg, id: string, attributes: string, content: string): Promise<Stanza> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The server did not answer a request in time.')), ANSWER_MS);
    const gone = (): void => {
      clearTimeout(timer);
      reject(new Error('The server closed the stream.'));
    };
    leg.handler = {
      header: () => {},
      stanza: (stanza) => {
        if (stanza.name !== 'iq' || stanza.id !== id) return;
        clearTimeout(timer);
        leg.hold();
        resolve(stanza);
      },
      end: gone,
      violation: gone,
      closed: gone,
      drain: () => {},
    };
    leg.send(`<iq id='${id}' ${attributes}>${content}</iq>`);
    leg.release();
  });
}
