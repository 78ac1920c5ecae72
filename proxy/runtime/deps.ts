/** What sessions and accounts need from the rest of the process. One object serves them all. */
import type { Config, HostConfig } from '../config.ts';
import type { Services } from '../core/services.ts';
import type { Settings } from '../core/state.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Logs } from '../store/logs.ts';
import type { StreamHeader } from '../xml/stanza.ts';
import type { Faces } from './faces.ts';
import type { MembershipRecorder } from './membership-recorder.ts';
import type { ParkingLot } from './parking.ts';
import type { Sealing } from './sealing.ts';
import type { UpstreamDeps } from './upstream.ts';

export interface AccountDeps extends UpstreamDeps {
  readonly config: Config;
  /** For an account of that host; `serverHeader` tells which server it is. */
  readonly settingsFor: (host: HostConfig, serverHeader: StreamHeader) => Settings;
  readonly services: Services;
  readonly faces: Faces;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: MembershipRecorder;
  /** Keeps passwords in the store; undefined: they are in memory only. */
  readonly sealing?: Sealing | undefined;
  /** The store is shared with other nodes, and outlives this process. */
  readonly isShared: boolean;
  /** Where stanza logs are kept for other nodes, and for those to come; undefined: there are none. */
  readonly logs: Logs | undefined;
  readonly parking: ParkingLot;
  /** Whether XEP-0198 is used: offered to clients (the server's or the proxy's own), and on account streams. */
  readonly offerStreamManagement: boolean;
  /** Account streams that nobody needs any more, and that have still to say so over a connection yet to be had. */
  readonly leaving: Set<{ abort(): void }>;
  /** Epoch ms. */
  readonly now: () => number;
  /** A short unguessable word of letters and digits. */
  readonly token: () => string;
  /** A number that is unique in this process, as a word. */
  readonly serial: () => string;
}
