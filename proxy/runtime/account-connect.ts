/** One upstream stream of the proxy's own, authenticated with a user's password and bound to a fresh resource. */
import { randomUUID } from 'node:crypto';
import type { HostConfig } from '../config.ts';
import { type Leg, SILENT } from '../net/leg.ts';
import type { Log } from '../ops/log.ts';
import { boundJid } from '../stream/bind.ts';
import { isFeatures, readFeatures, type ServerFeatures } from '../stream/features.ts';
import { readH } from '../stream/management/management.ts';
import { SaslClient, usableMechanisms } from '../stream/sasl-client.ts';
import { type SaslCrypto, SaslError } from '../stream/sasl-mechanism.ts';
import { readStreamError } from '../stream/stream-error.ts';
import { NS } from '../xml/names.ts';
import type { Stanza, StreamHeader } from '../xml/stanza.ts';
import { escapeXml } from '../xml/text.ts';
import { AccountConnectError, bindErrorCode, saslFailureCode, streamErrorCode } from './account-connect-error.ts';
import { type LegEvent, LegReader } from './leg-reader.ts';
import { isManagement } from './managed-stream.ts';
import { saslCrypto } from './sasl-crypto.ts';
import { openUpstream, type UpstreamDeps, UpstreamError } from './upstream.ts';

export { type AccountConnectCode, AccountConnectError } from './account-connect-error.ts';

export interface AccountConnectRequest {
  readonly host: HostConfig;
  /** Localpart, or what the user gave as authentication id. */
  readonly username: string;
  readonly domain: string;
  readonly password: string;
  /** Fresh each time; the server may still bind another one: look at the result's jid. */
  readonly resource: string;
  readonly lang?: string;
  /** Nothing is bound then: the session is to go on that had this JID; `xml` is its `<resume/>`. */
  readonly resume?: { readonly jid: string; readonly xml: string };
  /** Gives up at once when aborted (rejects with 'unreachable'). */
  readonly signal?: AbortSignal;
  /** For the whole of it, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
}

export interface AccountConnectDeps extends UpstreamDeps {
  readonly log: Log;
  /** For tests; Node's by default. */
  readonly crypto?: SaslCrypto;
}

/** Bound, no presence sent, or resumed. `leg` is HELD: set its handler in the continuation of the promise, then `release()`. */
export interface AccountConnection {
  readonly leg: Leg;
  readonly jid: string;
  /** Mechanism that was used. */
  readonly mechanism: string;
  /** What the server offered after authentication. */
  readonly features: ServerFeatures;
  readonly serverHeader: StreamHeader;
  /** The server's `<resumed/>`. */
  readonly resumed: Stanza | undefined;
}

/** Rejects with an AccountConnectError only; no connection stays behind then. */
export async function connectAccountStream(
  request: AccountConnectRequest,
  deps: AccountConnectDeps,
): Promise<AccountConnection> {
  const deadline = AbortSignal.timeout(request.timeoutMs ?? 30_000);
  const signal = request.signal === undefined ? deadline : AbortSignal.any([request.signal, deadline]);
  const leg = await open(request, deps, signal);
  const stop = () => leg.destroy();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) throw new AccountConnectError('unreachable', 'given up');
    const connection = await new Conversation(leg, request, deps.crypto ?? saslCrypto).run();
    deps.log.debug({ server: leg.id, jid: connection.jid, mechanism: connection.mechanism }, 'account stream bound');
    return connection;
  } catch (error) {
    leg.handler = SILENT;
    leg.end();
    leg.release();
    if (signal.aborted) throw new AccountConnectError('unreachable', 'no session in time');
    if (error instanceof AccountConnectError) throw error;
    const message = error instanceof SaslError ? error.message : 'internal error';
    if (!(error instanceof SaslError)) deps.log.error({ error }, 'fault in an account stream');
    throw new AccountConnectError('protocol', message);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function open(request: AccountConnectRequest, deps: UpstreamDeps, signal: AbortSignal): Promise<Leg> {
  const { host } = request;
  try {
    return await openUpstream({ host, attributes: headerFor(request) }, deps, signal);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    const { condition, text } = error.violation;
    if (error.code === 'stream-error') throw new AccountConnectError(streamErrorCode(condition), text, condition);
    throw new AccountConnectError(error.code === 'tls' ? 'tls' : 'unreachable', error.message);
  }
}

function headerFor(request: AccountConnectRequest): Record<string, string | undefined> {
  return { to: request.domain, version: '1.0', 'xml:lang': request.lang };
}

/** The stream from the server's header to the bound resource (RFC 6120 sections 4 to 7). */
class Conversation {
  readonly #leg: Leg;
  readonly #reader: LegReader;
  readonly #request: AccountConnectRequest;
  readonly #crypto: SaslCrypto;

  constructor(leg: Leg, request: AccountConnectRequest, crypto: SaslCrypto) {
    this.#leg = leg;
    this.#reader = new LegReader(leg);
    this.#request = request;
    this.#crypto = crypto;
  }

  async run(): Promise<AccountConnection> {
    const first = await this.#readFeatures();
    const mechanism = await this.#authenticate(first.features);
    this.#leg.restart();
    this.#leg.header(headerFor(this.#request));
    const { header: serverHeader, features } = await this.#readFeatures();
    const { resume } = this.#request;
    const common = { leg: this.#leg, mechanism, features, serverHeader };
    if (resume) return { ...common, jid: resume.jid, resumed: await this.#resume(resume.xml) };
    const jid = await this.#bind();
    if (features.session === 'required') await this.#startSession();
    return { ...common, jid, resumed: undefined };
  }

  /** Resolves with `<resumed/>` (XEP-0198 section 5). */
  async #resume(xml: string): Promise<Stanza> {
    this.#leg.send(xml);
    for (;;) {
      const stanza = await this.#stanza();
      if (!isManagement(stanza)) continue;
      if (stanza.name === 'resumed') return stanza;
      const condition = stanza.root.children.find(({ ns }) => ns === NS.stanzaErrors)?.name;
      throw new AccountConnectError('not-resumed', 'the server has the session no more', condition, readH(stanza));
    }
  }

  async #readFeatures(): Promise<{ header: StreamHeader; features: ServerFeatures }> {
    const event = await this.#reader.next();
    if (event.type !== 'header') throw lost(event);
    for (;;) {
      const stanza = await this.#stanza();
      if (isFeatures(stanza)) return { header: event.header, features: readFeatures(stanza) };
    }
  }

  /** Resolves with the mechanism that the server accepted; the next one is tried only where a mechanism itself is refused. */
  async #authenticate({ mechanisms }: ServerFeatures): Promise<string> {
    const { username, password, domain } = this.#request;
    for (const mechanism of usableMechanisms(mechanisms)) {
      const sasl = new SaslClient(mechanism, { username, password, domain }, this.#crypto);
      const failure = await this.#exchange(sasl);
      if (failure === undefined) return mechanism;
      const code = saslFailureCode(failure.condition);
      if (code !== 'no-mechanism') throw new AccountConnectError(code, 'authentication failed', failure.condition);
    }
    throw new AccountConnectError('no-mechanism', `no mechanism for us in: ${mechanisms.join(' ')}`);
  }

  /** Undefined on success. */
  async #exchange(sasl: SaslClient): Promise<{ condition: string } | undefined> {
    this.#leg.send(sasl.start());
    for (;;) {
      const step = await sasl.receive((await this.#stanza()).root);
      if (step.do === 'done') return undefined;
      if (step.do === 'refused') return step;
      this.#leg.send(step.xml);
    }
  }

  async #bind(): Promise<string> {
    const resource = `<resource>${escapeXml(this.#request.resource)}</resource>`;
    const result = await this.#ask(`<bind xmlns='${NS.bind}'>${resource}</bind>`);
    const jid = boundJid(result);
    if (jid === undefined) throw new AccountConnectError('protocol', 'the bind result has no JID');
    return jid;
  }

  /** RFC 3921 section 3: required by servers of that time, an empty gesture since. */
  async #startSession(): Promise<void> {
    await this.#ask(`<session xmlns='${NS.session}'/>`);
  }

  /** Sends an IQ set to the server and resolves with its result. What else comes before it is nothing for us. */
  async #ask(payload: string): Promise<Stanza> {
    const id = randomUUID();
    this.#leg.send(`<iq type='set' id='${id}'>${payload}</iq>`);
    for (;;) {
      const stanza = await this.#stanza();
      if (stanza.name !== 'iq' || stanza.id !== id) continue;
      if (stanza.type === 'result') return stanza;
      const error = stanza.root.child('error');
      const condition = error?.children.find((child) => child.ns === NS.stanzaErrors && child.name !== 'text')?.name;
      throw new AccountConnectError(
        bindErrorCode(condition, error?.attr('type')),
        'the server binds no session',
        condition,
      );
    }
  }

  async #stanza(): Promise<Stanza> {
    const event = await this.#reader.next();
    if (event.type !== 'stanza') throw lost(event);
    const error = readStreamError(event.stanza);
    if (error === undefined) return event.stanza;
    throw new AccountConnectError(streamErrorCode(error.condition), error.text, error.condition);
  }
}

function lost(event: LegEvent): AccountConnectError {
  if (event.type === 'over' && event.violation !== undefined) {
    return new AccountConnectError('protocol', `the server breaks the rules: ${event.violation.text}`);
  }
  return new AccountConnectError('unreachable', 'the server has closed the stream');
}
