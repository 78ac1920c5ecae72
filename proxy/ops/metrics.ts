/**
 * What is measured. Names follow Prometheus' conventions with the prefix `minimix_`; each app has a registry of its own.
 * Labels take a bounded set of words: whatever does not look like one (a JID, say) is counted as `other`.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Measured, WORKER_EXITS } from './gather.ts';
import { conditionLabel, createGuard, type Guard, mechanismLabel, oneOf } from './labels.ts';

/** Values of labels; keys are the labels' names. */
export type Labels = Readonly<Record<string, string>>;

/** A counter with labels. */
export interface Count<L extends Labels> {
  inc(labels: L, by?: number): void;
}

/** A counter without labels. */
export interface PlainCount {
  inc(by?: number): void;
}

/** A gauge with labels. */
export interface Level<L extends Labels> {
  inc(labels: L, by?: number): void;
  dec(labels: L, by?: number): void;
  set(labels: L, value: number): void;
}

/** A gauge without labels. */
export interface PlainLevel {
  inc(by?: number): void;
  dec(by?: number): void;
  set(value: number): void;
}

/** How long things take, with labels. */
export interface Timing<L extends Labels> {
  /** Seconds. */
  observe(labels: L, seconds: number): void;
}

type Kind = 'tcp' | 'websocket';

/**
 * Counters of the hot path: plain fields to add to (`metrics.hot.stanzasUp++`), read when Prometheus asks. Never decrease
 * one.
 */
export interface HotCounters {
  /** Stanzas relayed unchanged from a client to its server. */
  stanzasUp: number;
  /** Stanzas relayed unchanged from a server to its client. */
  stanzasDown: number;
  /** Copies of room stanzas delivered to sessions. */
  stanzasForked: number;
  /** Stanzas that the servers did not have to send or take because the account joins once. */
  stanzasSaved: number;
  /** Their bytes. */
  bytesSaved: number;
  /** Payload bytes read from and written to clients. */
  bytesInDownstream: number;
  bytesOutDownstream: number;
  /** Payload bytes read from and written to servers. */
  bytesInUpstream: number;
  bytesOutUpstream: number;
}

export interface Metrics {
  readonly registry: Registry;
  readonly hot: HotCounters;

  readonly sessions: Level<{ transport: Kind }>;
  readonly accounts: PlainLevel;
  readonly occupancies: PlainLevel;
  readonly carriers: Level<{ kind: 'account-stream' | 'borrowed' | 'parked' }>;
  readonly legs: Level<{ role: 'accepted' | 'dialed'; kind: Kind }>;
  readonly iqPending: PlainLevel;

  readonly connectionsAccepted: Count<{ kind: Kind }>;
  readonly connectionsRefused: Count<{ kind: Kind; reason: string }>;
  readonly joins: Count<{ result: 'upstream' | 'local' | 'refused' | 'timeout' }>;
  /** Joins that no server saw. */
  readonly joinsSaved: PlainCount;
  /** Streams kept for their rooms when their client had gone, and those that were not for want of room. */
  readonly parkings: Count<{ result: 'parked' | 'full' }>;
  readonly handovers: Count<{ result: string }>;
  readonly accountStreamsOpened: PlainCount;
  readonly accountStreamsFailed: Count<{ reason: string }>;
  /** Connections of account streams that broke, by whether the stream went on over another one. */
  readonly accountStreamResumptions: Count<{ result: 'resumed' | 'refused' | 'expired' | 'failed' }>;
  /** Any mechanism name may be given: unknown ones count as `other`. */
  readonly sasl: Count<{ mechanism: string; result: 'success' | 'failure' | 'aborted' | 'refused' }>;
  /** Stanzas that went nowhere (X6). */
  readonly drops: Count<{ reason: string }>;
  /** `leg`: on which leg the stream error was sent or received. */
  readonly streamErrors: Count<{ condition: string; leg: 'downstream' | 'upstream' }>;
  /** Streams that broke a rule of XML or a limit. */
  readonly violations: Count<{ condition: string }>;
  readonly iqTimeouts: PlainCount;
  /** Users' bookmarks read, by where they are kept. */
  readonly bookmarkReadings: Count<{ result: 'pep' | 'private' | 'failed' }>;
  /** What accounts have done because a bookmark says so. */
  readonly bookmarksFollowed: Count<{ act: 'join' | 'leave' | 'rename' }>;
  /** Steps in Redis that were answered, by what they do. */
  readonly redisSeconds: Timing<{ command: string }>;
  readonly redisErrors: Count<{ reason: string }>;
  /** 1: Redis is there and does what it is asked; 0: it is not. Without Redis it stays 0. */
  readonly redisUp: PlainLevel;
  /** Envelopes to other nodes. */
  readonly envelopes: Count<{ kind: string }>;
  /** What has become of passwords that are sealed for the store. */
  readonly sealed: Count<{
    event: 'sealed' | 'opened' | 'unknown-key' | 'broken' | 'deleted' | 'failed' | 'keys-unread';
  }>;
  /** Accounts without devices whose home was no more, by what has become of them here. */
  readonly orphans: Count<{ result: 'taken-up' | 'unknown-key' | 'unknown-host' | 'given-up' | 'failed' }>;
  /** What has become of accounts' homes on this node. */
  readonly homes: Count<{ event: 'claimed' | 'taken-over' | 'moved' | 'gave-way' }>;
  /** Other nodes that live. */
  readonly peers: PlainLevel;
  /** From when another node has written an envelope to when this one has handled it. */
  readonly busLag: Timing<Record<never, string>>;
  /** Envelopes for this node that it has not handled, 0 also where that cannot be found out. */
  readonly busPending: PlainLevel;

  /** Processes that serve clients: 1, and the sum where a parent adds up. */
  readonly workers: PlainLevel;

  /** Called before each scrape: the place to set gauges from what is true now. */
  onScrape(update: () => void | Promise<void>): void;
  /** Starts to collect process and event-loop metrics; once is enough. Their observers stay until the process ends. */
  watchProcess(): void;
  /** The same as plain data, for a parent that adds up. */
  measured(): Promise<Measured>;
  /** The text for Prometheus. */
  render(): Promise<string>;
  /** The media type of that text. */
  readonly contentType: string;
}

interface Definition {
  readonly name: string;
  readonly help: string;
}

/** Creates the metrics of one app. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const updates: (() => void | Promise<void>)[] = [];
  const hot = createHot(registry);
  // Counted by a parent alone; named everywhere, so that rules and panels find it.
  new Counter({ ...WORKER_EXITS, registers: [registry] });
  let isProcessWatched = false;

  const count = <L extends Labels>(name: string, help: string, guards: Guards<L>): Count<L> =>
    labelledCount(registry, { name, help }, guards);
  const plainCount = (name: string, help: string): PlainCount => {
    const counter = new Counter({ name: `minimix_${name}`, help, registers: [registry] });
    return { inc: (by = 1) => counter.inc(by) };
  };
  const level = <L extends Labels>(name: string, help: string, guards: Guards<L>): Level<L> =>
    labelledLevel(registry, { name, help }, guards);
  const timing = <L extends Labels>(name: string, help: string, guards: Guards<L>): Timing<L> => {
    const labelNames = Object.keys(guards);
    const what = { name: `minimix_${name}`, help, labelNames, buckets: secondsBuckets, registers: [registry] };
    const histogram = new Histogram(what);
    return { observe: (labels, seconds) => histogram.observe(guarded(labels, guards), seconds) };
  };
  // `together`: how the values of several processes are made one.
  const plainLevel = (name: string, help: string, together: 'sum' | 'min' | 'max' = 'sum'): PlainLevel => {
    const gauge = new Gauge({ name: `minimix_${name}`, help, aggregator: together, registers: [registry] });
    return { inc: (by = 1) => gauge.inc(by), dec: (by = 1) => gauge.dec(by), set: (value) => gauge.set(value) };
  };

  return {
    registry,
    hot,
    sessions: level('sessions', 'Sessions, by transport of the client.', { transport: kind }),
    accounts: plainLevel('accounts', 'Accounts that have a session or an occupancy.'),
    occupancies: plainLevel('occupancies', 'Rooms occupied by accounts.'),
    carriers: level('carriers', 'Upstream streams that carry rooms.', {
      kind: oneOf('account-stream', 'borrowed', 'parked'),
    }),
    legs: level('legs', 'Open connections to clients (accepted) and servers (dialed).', {
      role: oneOf('accepted', 'dialed'),
      kind,
    }),
    iqPending: plainLevel('iq_pending', 'Requests sent through a carrier and not answered yet.'),
    connectionsAccepted: count('connections_accepted_total', 'Connections accepted.', { kind }),
    connectionsRefused: count('connections_refused_total', 'Connections refused.', {
      kind,
      reason: createGuard(),
    }),
    joins: count('joins_total', 'Joins of sessions, by how they were answered.', {
      result: oneOf('upstream', 'local', 'refused', 'timeout'),
    }),
    joinsSaved: plainCount('joins_saved_total', 'Joins that the account did not repeat at the room.'),
    parkings: count(
      'parkings_total',
      'Streams kept for their rooms when their client had gone, or not for want of room.',
      {
        result: oneOf('parked', 'full'),
      },
    ),
    handovers: count('handovers_total', 'Occupancies moved between carriers.', { result: createGuard() }),
    accountStreamsOpened: plainCount('account_streams_opened_total', 'Account streams opened.'),
    accountStreamsFailed: count('account_streams_failed_total', 'Account streams that could not be opened.', {
      reason: createGuard(),
    }),
    accountStreamResumptions: count(
      'account_stream_resumptions_total',
      'Account streams whose connection broke, by whether they went on over another one.',
      { result: oneOf('resumed', 'refused', 'expired', 'failed') },
    ),
    sasl: count('sasl_total', 'SASL exchanges of clients.', {
      mechanism: mechanismLabel,
      result: oneOf('success', 'failure', 'aborted', 'refused'),
    }),
    drops: count('drops_total', 'Stanzas dropped.', { reason: createGuard() }),
    streamErrors: count('stream_errors_total', 'Stream errors sent or received.', {
      condition: conditionLabel,
      leg: oneOf('downstream', 'upstream'),
    }),
    violations: count('violations_total', 'Streams ended for bad XML or a limit.', { condition: conditionLabel }),
    envelopes: count('bus_envelopes_total', 'Envelopes sent to other nodes, by what they hold.', {
      kind: createGuard(),
    }),
    sealed: count('sealed_total', 'Passwords sealed for the store, and what has become of them.', {
      event: oneOf('sealed', 'opened', 'unknown-key', 'broken', 'deleted', 'failed', 'keys-unread'),
    }),
    orphans: count('orphans_total', 'Accounts without devices that had lost their node, by what has become of them.', {
      result: oneOf('taken-up', 'unknown-key', 'unknown-host', 'given-up', 'failed'),
    }),
    homes: count('homes_total', 'Accounts that have come to be at home here, or have left.', {
      event: oneOf('claimed', 'taken-over', 'moved', 'gave-way'),
    }),
    peers: plainLevel('cluster_peers', 'Other nodes that live.', 'max'),
    workers: plainLevel('workers', 'Processes that serve clients.'),
    busLag: timing('bus_lag_seconds', 'From when another node wrote an envelope to when it was handled.', {}),
    busPending: plainLevel('bus_pending', 'Envelopes written for this node and not handled yet.'),
    iqTimeouts: plainCount('iq_timeouts_total', 'Requests sent through a carrier that were never answered.'),
    bookmarkReadings: count('bookmark_readings_total', 'Bookmarks of users read, by where they are kept.', {
      result: oneOf('pep', 'private', 'failed'),
    }),
    bookmarksFollowed: count('bookmarks_followed_total', 'What accounts did because a bookmark says so.', {
      act: oneOf('join', 'leave', 'rename'),
    }),
    redisSeconds: timing('redis_command_seconds', 'Time until Redis has answered, by step.', {
      command: createGuard(),
    }),
    redisErrors: count('redis_errors_total', 'Steps in Redis that failed.', { reason: createGuard() }),
    redisUp: plainLevel('redis_up', 'Whether Redis can be reached and does what it is asked (1) or not (0).', 'min'),
    onScrape: (update) => void updates.push(update),
    watchProcess() {
      if (!isProcessWatched) collectDefaultMetrics({ register: registry });
      isProcessWatched = true;
    },
    async measured() {
      await Promise.all(updates.map((update) => update()));
      return await registry.getMetricsAsJSON();
    },
    async render() {
      await Promise.all(updates.map((update) => update()));
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

type Guards<L extends Labels> = { readonly [K in keyof L]: Guard };

/** From a Redis beside us that is idle to one that hardly answers. */
const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const kind = oneOf('tcp', 'websocket');

/** Every combination of labels, if all of them are closed sets; else none. */
function combinations<L extends Labels>(guards: Guards<L>): L[] {
  let result: Record<string, string>[] = [{}];
  for (const [name, guard] of Object.entries<Guard>(guards)) {
    result = result.flatMap((labels) => (guard.values ?? []).map((value) => ({ ...labels, [name]: value })));
  }
  return result as L[];
}

function guarded<L extends Labels>(labels: L, guards: Guards<L>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name in guards) result[name] = guards[name](labels[name] ?? '');
  return result;
}

function labelledCount<L extends Labels>(registry: Registry, what: Definition, guards: Guards<L>): Count<L> {
  const { name, help } = what;
  const counter = new Counter({
    name: `minimix_${name}`,
    help,
    labelNames: Object.keys(guards),
    registers: [registry],
  });
  for (const labels of combinations(guards)) counter.inc(labels, 0);
  return { inc: (labels, by = 1) => counter.inc(guarded(labels, guards), by) };
}

function labelledLevel<L extends Labels>(registry: Registry, what: Definition, guards: Guards<L>): Level<L> {
  const { name, help } = what;
  const gauge = new Gauge({ name: `minimix_${name}`, help, labelNames: Object.keys(guards), registers: [registry] });
  for (const labels of combinations(guards)) gauge.set(labels, 0);
  return {
    inc: (labels, by = 1) => gauge.inc(guarded(labels, guards), by),
    dec: (labels, by = 1) => gauge.dec(guarded(labels, guards), by),
    set: (labels, value) => gauge.set(guarded(labels, guards), value),
  };
}

/** The fields of the hot path, published by counters that read them when they are scraped. */
function createHot(registry: Registry): HotCounters {
  const hot: HotCounters = {
    stanzasUp: 0,
    stanzasDown: 0,
    stanzasForked: 0,
    stanzasSaved: 0,
    bytesSaved: 0,
    bytesInDownstream: 0,
    bytesOutDownstream: 0,
    bytesInUpstream: 0,
    bytesOutUpstream: 0,
  };
  const publish = (name: string, help: string, series: () => [Labels, number][]): void => {
    const labelNames = Object.keys(series()[0]?.[0] ?? {});
    new Counter({
      name: `minimix_${name}`,
      help,
      labelNames,
      registers: [registry],
      // prom-client's counters only add; reset and add is how an absolute value is given.
      collect() {
        this.reset();
        for (const [labels, value] of series()) this.inc(labels, value);
      },
    });
  };
  publish('stanzas_relayed_total', 'Stanzas relayed unchanged.', () => [
    [{ direction: 'up' }, hot.stanzasUp],
    [{ direction: 'down' }, hot.stanzasDown],
  ]);
  publish('stanzas_forked_total', 'Copies of room stanzas delivered to sessions.', () => [[{}, hot.stanzasForked]]);
  publish('stanzas_saved_total', 'Stanzas that the servers did not have to handle.', () => [[{}, hot.stanzasSaved]]);
  publish('bytes_saved_total', 'Bytes that the servers did not have to handle.', () => [[{}, hot.bytesSaved]]);
  publish('bytes_total', 'Payload bytes of all connections.', () => [
    [{ direction: 'in', leg: 'downstream' }, hot.bytesInDownstream],
    [{ direction: 'out', leg: 'downstream' }, hot.bytesOutDownstream],
    [{ direction: 'in', leg: 'upstream' }, hot.bytesInUpstream],
    [{ direction: 'out', leg: 'upstream' }, hot.bytesOutUpstream],
  ]);
  return hot;
}
