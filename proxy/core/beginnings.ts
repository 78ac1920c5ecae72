/** Sessions and streams as they are when they begin, wherever they are held. */
import { RoomSet } from './room-set.ts';
import type { Carrier, Session } from './state.ts';

/** A session that has said nothing yet. */
export function newSession(known: Pick<Session, 'id' | 'jid' | 'asked' | 'device' | 'carrier' | 'languages'>): Session {
  const { id, jid, asked, device, carrier, languages } = known;
  return {
    id,
    jid,
    asked,
    device,
    cursors: new Map(),
    carrier,
    available: false,
    show: '',
    priority: 0,
    carbons: false,
    isHibernating: false,
    isStreamKept: false,
    isLagging: false,
    push: undefined,
    ...(languages && { languages }),
    rooms: new RoomSet(),
  };
}

/** A stream that is in no room yet. */
export function newCarrier(known: Pick<Carrier, 'id' | 'kind' | 'jid' | 'session' | 'languages'>): Carrier {
  const { id, kind, jid, session, languages } = known;
  return {
    id,
    kind,
    jid,
    session,
    status: 'ready',
    ...(languages && { languages }),
    rooms: new RoomSet(),
    heardAt: 0,
  };
}
