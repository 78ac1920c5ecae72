/** Our own client side of SASL (RFC 6120 section 6.4): for the streams that the proxy opens with a user's password. */

import { NS } from '../xml/names.ts';
import type { Node } from '../xml/spans.ts';
import { escapeXml } from '../xml/text.ts';
import { decodeBase64, encodeInitial } from './base64.ts';
import { DigestMd5Client } from './digest-md5.ts';
import { type SaslAccount, type SaslCrypto, SaslError, type SaslMechanism } from './sasl-mechanism.ts';
import { ScramClient } from './scram.ts';

class PlainClient implements SaslMechanism {
  readonly name = 'PLAIN';
  readonly #account: SaslAccount;

  constructor(account: SaslAccount) {
    this.#account = account;
  }

  start(): Buffer {
    return Buffer.from(`\0${this.#account.username}\0${this.#account.password}`);
  }

  /** A server may ask for what it has been given already (jabberd2 does when the initial response is left out). */
  async answer(): Promise<Buffer> {
    return this.start();
  }

  finish(): void {}
}

/** Strongest first. */
const mechanisms: readonly (readonly [string, (account: SaslAccount, crypto: SaslCrypto) => SaslMechanism])[] = [
  ['SCRAM-SHA-512', (account, crypto) => new ScramClient('SCRAM-SHA-512', 'sha512', account, crypto)],
  ['SCRAM-SHA-256', (account, crypto) => new ScramClient('SCRAM-SHA-256', 'sha256', account, crypto)],
  ['SCRAM-SHA-1', (account, crypto) => new ScramClient('SCRAM-SHA-1', 'sha1', account, crypto)],
  ['DIGEST-MD5', (account, crypto) => new DigestMd5Client(account, crypto)],
  ['PLAIN', (account) => new PlainClient(account)],
];

/** The mechanisms of this offer that we speak, strongest first. */
export function usableMechanisms(offered: Iterable<string>): string[] {
  const names = new Set(offered);
  return mechanisms.map(([name]) => name).filter((name) => names.has(name));
}

/** What to do after an element of the server: send this, go on to the new stream, or take it as refused. */
export type SaslStep =
  | { readonly do: 'send'; readonly xml: string }
  | { readonly do: 'done' }
  | { readonly do: 'refused'; readonly condition: string; readonly text: string };

/** One attempt with one mechanism. */
export class SaslClient {
  readonly mechanism: string;
  readonly #exchange: SaslMechanism;

  /** `mechanism` is one of `usableMechanisms`. */
  constructor(mechanism: string, account: SaslAccount, crypto: SaslCrypto) {
    const create = mechanisms.find(([name]) => name === mechanism)?.[1];
    if (create === undefined) throw new SaslError(`we do not speak ${mechanism}`);
    this.mechanism = mechanism;
    this.#exchange = create(account, crypto);
  }

  /** The `<auth/>` that opens the exchange. */
  start(): string {
    const initial = encodeInitial(this.#exchange.start());
    return `<auth xmlns='${NS.sasl}' mechanism='${escapeXml(this.mechanism)}'>${initial}</auth>`;
  }

  /** Takes `<challenge/>`, `<success/>` or `<failure/>`. Rejects with SaslError where the server breaks the mechanism. */
  async receive(root: Node): Promise<SaslStep> {
    if (root.ns !== NS.sasl) throw new SaslError(`unexpected <${root.name}/>`);
    switch (root.name) {
      case 'challenge': {
        const answer = await this.#exchange.answer(decode(root) ?? Buffer.alloc(0));
        return { do: 'send', xml: `<response xmlns='${NS.sasl}'>${answer.toString('base64')}</response>` };
      }
      case 'success':
        this.#exchange.finish(decode(root));
        return { do: 'done' };
      case 'failure':
        return { do: 'refused', ...readFailure(root) };
      default:
        throw new SaslError(`unexpected <${root.name}/>`);
    }
  }
}

/** Condition and text of a `<failure/>`; 'not-authorized' where it names none. */
export function readFailure(root: Node): { condition: string; text: string } {
  const condition = root.children.find((child) => child.name !== 'text')?.name ?? 'not-authorized';
  return { condition, text: root.child('text')?.text() ?? '' };
}

function decode(root: Node): Buffer | undefined {
  const text = root.text().trim();
  if (text === '' || text === '=') return undefined;
  const data = decodeBase64(text);
  if (data === undefined) throw new SaslError(`<${root.name}/> is not base64`);
  return data;
}
