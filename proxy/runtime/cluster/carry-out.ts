/** What an account's home has decided, carried out on the sessions and streams that are here, and noted. */
import type { Reading } from './envelope.ts';
import type { EffectItem } from './items.ts';
import type { Part } from './part.ts';
import type { Visit } from './visit.ts';

/** @throws ViolationError on what no node has written */
export function carryOut(part: Part, visit: Visit, item: EffectItem, reading: Reading<EffectItem>): void {
  const { mirror, ports, accountStream } = part;
  const { sessions, carriers } = ports;
  switch (item.kind) {
    case 'view':
      mirror.apply(item, (session, room) => visit.isPresumed(session, room, item.seen));
      visit.settled(item.seen);
      return;
    case 'room':
      mirror.noteFacts(item.facts);
      return;
    case 'entered':
      mirror.entered(item.room, item.session, item.last);
      return;
    case 'left':
      mirror.left(item.room, item.session);
      return;
    case 'fork': {
      const stanza = reading.stanza(item.stanza);
      mirror.noteShown(stanza);
      const missing = ports.fork(item.sessions, stanza);
      // One that goes on elsewhere, or the next one, may still be given it; what was said to all is in the room's log.
      if (missing && stanza.name === 'message' && stanza.type !== 'groupchat') {
        visit.input({ kind: 'sessions-missed', sessions: missing, stanza });
      }
      return;
    }
    case 'to-session': {
      const text = reading.text(item.xml);
      mirror.noteSentTo(item.session, text);
      sessions.get(item.session)?.send(text);
      return;
    }
    case 'to-carrier':
      ports.toCarrier(item.carrier, reading.text(item.xml), item.source, undefined);
      return;
    case 'relay-upstream':
      sessions.get(item.session)?.relayUpstream(reading.stanza(item.stanza));
      return;
    case 'relay-downstream':
      carriers.get(item.carrier)?.relayDownstream(reading.stanza(item.stanza));
      return;
    case 'replace-session':
      sessions.get(item.session)?.replace();
      return;
    case 'session-behind':
      sessions.get(item.session)?.fallBehind();
      return;
    case 'rest-session':
      if (item.rests) sessions.get(item.session)?.rest();
      else sessions.get(item.session)?.resume();
      return;
    case 'hold-carrier':
      carriers.get(item.carrier)?.hold();
      return;
    case 'park-carrier': {
      const carrier = mirror.carriers.get(item.carrier);
      if (carrier) carrier.isParked = true;
      carriers.get(item.carrier)?.park();
      return;
    }
    case 'suspend-carrier':
      carriers.get(item.carrier)?.suspend();
      return;
    case 'carrier-free':
      if (item.isGone) part.free(item.carrier);
      else carriers.get(item.carrier)?.free();
      return;
    case 'open-account-stream':
      if (!accountStream.open()) visit.input({ kind: 'account-stream-failed', final: true });
      return;
    case 'close-account-stream':
      accountStream.close();
      return;
  }
}
