/** A session without connections as text (XEP-0198 section 5), for the store: what it owes to whom, and what it is owed. */
import type { ManagementSnapshot } from '../stream/management/management.ts';
import type { OutboundSnapshot, Sent } from '../stream/management/outbound.ts';
import type { ManagedSnapshot } from './managed-stream.ts';

/** The two legs of a session while both are gone. */
export interface LegsSnapshot {
  readonly managed: ManagedSnapshot;
  /** Stanzas for the server that wait for its connection. */
  readonly forServer: readonly Buffer[];
}

/** As JSON of version 1; every stanza in it is UTF-8. */
export function legsToText({ managed, forServer }: LegsSnapshot): string {
  const { counters, again, ...rest } = managed;
  const written = {
    v: 1,
    ...rest,
    fromClient: counters.fromClient,
    fromServer: counters.fromServer,
    toServer: outboundToJson(counters.toServer),
    toClient: outboundToJson(counters.toClient),
    told: counters.told,
    again: again.map(sentToJson),
    forServer: forServer.map(String),
  };
  return JSON.stringify(written);
}

/** Throws for a text of another version, which a newer program has written. */
export function legsFromText(text: string): LegsSnapshot {
  const read = JSON.parse(text) as Written;
  if (read.v !== 1) throw new Error(`a session of version ${read.v} cannot be read`);
  const { version, previd, resumableMs, fromClient, fromServer, toServer, toClient, told, again, forServer } = read;
  const counters: ManagementSnapshot = {
    fromClient,
    fromServer,
    toServer: outboundFromJson(toServer),
    toClient: outboundFromJson(toClient),
    ...(told && { told }),
  };
  return {
    managed: { version, previd, resumableMs, counters, again: again.map(sentFromJson) },
    forServer: forServer.map((one) => Buffer.from(one)),
  };
}

type Written = Omit<ManagedSnapshot, 'counters' | 'again'> &
  Pick<ManagementSnapshot, 'fromClient' | 'fromServer' | 'told'> & {
    readonly v: number;
    readonly toServer: WrittenOutbound;
    readonly toClient: WrittenOutbound;
    readonly again: readonly WrittenSent[];
    readonly forServer: readonly string[];
  };

/** A ticket, or a stanza. */
type WrittenSent = number | string;

interface WrittenOutbound {
  readonly acknowledged: number;
  readonly queue: readonly WrittenSent[];
}

function outboundToJson({ acknowledged, queue }: OutboundSnapshot): WrittenOutbound {
  return { acknowledged, queue: queue.map(sentToJson) };
}

function outboundFromJson({ acknowledged, queue }: WrittenOutbound): OutboundSnapshot {
  return { acknowledged, queue: queue.map(sentFromJson) };
}

function sentToJson(what: Sent): WrittenSent {
  return typeof what === 'number' ? what : what.toString('utf8');
}

function sentFromJson(what: WrittenSent): Sent {
  return typeof what === 'number' ? what : Buffer.from(what);
}
