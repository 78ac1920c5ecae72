/**
 * Cells of the scenario matrix that cannot hold, each with the reason. A scenario names the reasons that apply to it
 * (`except`); there is no other way to leave a cell out, and every run prints how many were.
 */
import type { ServerName } from '../servers/index.ts';
import type { Transport } from '../support/proxy.ts';

/** How the account occupies its rooms: by a stream of its own, through a session's, or through one that a session has left behind. */
export type Carrier = 'account' | 'borrowed' | 'parked';

/** One place of the matrix. */
export interface Cell {
  server: ServerName;
  carrier: Carrier;
  transport: Transport;
}

/** The cells that a reason rules out: those that are in every list that is given. */
export interface Impossible {
  reason: string;
  servers?: readonly ServerName[];
  carriers?: readonly Carrier[];
  transports?: readonly Transport[];
}

export const impossible = {
  sharedNick: {
    reason:
      'mu-conference refuses a nick to a second session of the account: a borrowed carrier is handed over by leave and join',
    servers: ['jabberd2'],
    carriers: ['borrowed'],
  },
  streamManagement: {
    reason: 'jabberd2 has no XEP-0198: its streams end with their connection',
    servers: ['jabberd2'],
  },
  resumptionTime: {
    reason: 'Prosody lets no client ask for a shorter time in which it can resume',
    servers: ['prosody'],
  },
  ownHibernation: {
    reason: 'Prosody and ejabberd have XEP-0198 and keep sessions by themselves',
    servers: ['prosody', 'ejabberd'],
  },
  clientState: { reason: 'jabberd2 has no XEP-0352', servers: ['jabberd2'] },
  occupantIds: {
    reason: 'ejabberd (of this version) and mu-conference have no XEP-0421',
    servers: ['ejabberd', 'jabberd2'],
  },
  roomCapabilities: {
    reason: 'only ejabberd shows in a presence what a room can do',
    servers: ['prosody', 'jabberd2'],
  },
  subscriptions: {
    reason: 'only ejabberd has rooms that can be subscribed to (MUC/Sub)',
    servers: ['prosody', 'jabberd2'],
  },
  closingSubject: { reason: 'mu-conference ends no answer to a join with the subject', servers: ['jabberd2'] },
  archive: { reason: 'mu-conference has no XEP-0313', servers: ['jabberd2'] },
  moderation: { reason: 'only Prosody, of these versions, knows XEP-0425', servers: ['ejabberd', 'jabberd2'] },
  carbons: { reason: 'jabberd2 has no XEP-0280', servers: ['jabberd2'] },
  occupantLimit: { reason: 'Prosody has no limit of occupants', servers: ['prosody'] },
  configurationNotice: {
    reason: 'ejabberd and mu-conference do not tell occupants that addresses have become visible',
    servers: ['ejabberd', 'jabberd2'],
  },
  sharedAnyway: {
    reason: 'mu-conference refuses a nick to a second session of the account, whichever way that is connected',
    servers: ['jabberd2'],
  },
  sameOnBoth: {
    reason:
      'what nodes do among themselves, what a server pushes for, and what bookmarks say does not depend on how a client has reached its node',
    transports: ['websocket'],
  },
  storeAlone: {
    reason: 'what the store of several nodes does has no part of the server, and is played on one',
    servers: ['ejabberd', 'jabberd2'],
  },
  halfMinute: {
    reason: 'what takes half a minute, and depends neither on the server nor on the carrier, is played once',
    carriers: ['borrowed'],
  },
  nickIsShared: { reason: 'Prosody and ejabberd let an account share its nick', servers: ['prosody', 'ejabberd'] },
  accountStream: {
    reason: 'without a password there is no account stream',
    carriers: ['borrowed', 'parked'],
  },
  passwordKnown: {
    reason: 'with a password there is an account stream, and no stream is parked',
    carriers: ['account'],
  },
  nothingLingers: { reason: 'with linger 0 no stream is parked', carriers: ['parked'] },
  membersOnly: {
    reason: 'mu-conference removes nobody when a room is made members-only, nor who loses membership in one',
    servers: ['jabberd2'],
  },
  joinsAgain: { reason: 'mu-conference shows nothing to an occupant who joins once more', servers: ['jabberd2'] },
  awayMembers: { reason: 'only Prosody shows members who are away', servers: ['ejabberd', 'jabberd2'] },
  roleLists: {
    reason: 'mu-conference lists nobody by role, and shows nothing to a moderator who joins once more',
    servers: ['jabberd2'],
  },
  voice: { reason: 'mu-conference knows no requests for voice', servers: ['jabberd2'] },
  ownersListed: { reason: 'mu-conference does not list its owners among the moderators', servers: ['jabberd2'] },
  clientAddress: { reason: 'jabberd2 takes no word for where a client comes from', servers: ['jabberd2'] },
  expulsion: {
    reason: 'Prosody alone can be made to throw occupants out over an error by something that is no client of theirs',
    servers: ['ejabberd', 'jabberd2'],
  },
  ownStream: {
    reason: 'an account stream stays in its rooms when a device goes: none is left or handed over',
    carriers: ['account'],
  },
  nickRegistry: {
    reason: 'ejabberd alone lets anybody register a nick for all of its rooms',
    servers: ['prosody', 'jabberd2'],
  },
  otherTransport: { reason: 'the client speaks TCP alone', transports: ['websocket'] },
  notInBrowsers: { reason: 'the client speaks WebSocket alone', transports: ['tcp'] },
  captcha: { reason: 'only ejabberd has rooms that ask a question (XEP-0158)', servers: ['prosody', 'jabberd2'] },
  personalEvents: { reason: 'jabberd2 has no XEP-0163', servers: ['jabberd2'] },
} as const satisfies Record<string, Impossible>;

export type Reason = keyof typeof impossible;

/** The reason that rules a cell out, if one of those named does. */
export function ruledOut(cell: Cell, reasons: readonly Reason[]): string | undefined {
  const found = reasons
    .map((name): Impossible => impossible[name])
    .find((one) => {
      const { servers, carriers, transports } = one;
      const holds = <T>(list: readonly T[] | undefined, value: T) => list === undefined || list.includes(value);
      return holds(servers, cell.server) && holds(carriers, cell.carrier) && holds(transports, cell.transport);
    });
  return found?.reason;
}
