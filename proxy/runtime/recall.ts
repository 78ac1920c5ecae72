/**
 * Sessions that are resumed on another node than they were on (S9). What a node was told to stop with lies in the store; one that
 * still lives on its node, asleep or with a client that is not known to be gone, is asked for there. Nothing is taken from anybody
 * before the server has granted the resumption, which proves whose session it is.
 */
import type { Log } from '../ops/log.ts';
import type { Hibernations } from '../store/hibernations.ts';
import type { ManagementVersion } from '../stream/management/management.ts';
import type { KeptElsewhere, Recalled, ResumeRequest } from './bound-session.ts';
import type { Lending } from './cluster/lending.ts';
import { ManagedStream } from './managed-stream.ts';
import { readLegs } from './session-record.ts';

/** Who has a session: with its `<resume/>` for the server or, where the proxy keeps it by itself, whose it is. */
export type Found = { readonly node: string; readonly xml: string } | { readonly node: string; readonly owner: string };

/** The other nodes, as far as sessions of theirs are resumed here. */
export interface Peers {
  /** Undefined: nobody answers for it in time. */
  find(request: ResumeRequest): Promise<Found | undefined>;
  /** The server has granted it. True: the session is in the store now, and nowhere else. */
  transfer(node: string, request: ResumeRequest): Promise<boolean>;
  refused(node: string, request: ResumeRequest): void;
}

export class Recall {
  readonly #store: Hibernations;
  readonly #peers: Peers;
  readonly #lending: Pick<Lending, 'offer'>;
  readonly #log: Log;

  constructor(store: Hibernations, peers: Peers, lending: Pick<Lending, 'offer'>, log: Log) {
    this.#store = store;
    this.#peers = peers;
    this.#lending = lending;
    this.#log = log;
  }

  /** Undefined: the session is known nowhere, or claims of the client do not fit. */
  async find(request: ResumeRequest): Promise<Recalled | KeptElsewhere | undefined> {
    const name = resumeKey(request);
    try {
      const kept = await this.#store.read(name);
      if (kept) return this.#fromStore(name, request, kept.state);
      const found = await this.#peers.find(request);
      if (!found) return undefined;
      const { node } = found;
      if ('owner' in found) {
        const { owner } = found;
        return { owner, lend: (leg, answered) => this.#lending.offer(node, request, leg, answered) };
      }
      return {
        xml: found.xml,
        claim: async () => ((await this.#peers.transfer(node, request)) ? await this.#store.take(name) : undefined),
        refused: () => this.#peers.refused(node, request),
      };
    } catch (error) {
      this.#log.warn({ error }, 'the store does not say whether a session hibernates');
      return undefined;
    }
  }

  #fromStore(name: string, request: ResumeRequest, state: string): Recalled | undefined {
    const { managed } = readLegs(state);
    if (managed.version !== request.version) return undefined;
    const xml = resumeOf(managed.version, managed, request.h);
    return xml === undefined ? undefined : { xml, claim: () => this.#store.take(name), refused: () => {} };
  }
}

function resumeOf(version: ManagementVersion, managed: ReturnType<typeof readLegs>['managed'], h: number) {
  const silent = (): void => {};
  const lines = {
    toClient: silent,
    toServer: silent,
    clientAsked: silent,
    stanzaToClient: silent,
    stanzaToServer: silent,
  };
  const stream = new ManagedStream(version, lines);
  stream.restore(managed);
  return stream.prepareResume(h);
}

/** What a session that can be resumed is known by. A domain has no space in it. */
export function resumeKey({ domain, previd }: Pick<ResumeRequest, 'domain' | 'previd'>): string {
  return `${domain} ${previd}`;
}
