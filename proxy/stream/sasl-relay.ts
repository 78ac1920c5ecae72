/**
 * What is seen of a SASL exchange that client and server hold through us: it passes byte for byte, or is refused here
 * (S5, S5a). Learned on the way: a password given in clear, and a hint at the user.
 */
import { accountKey } from '../xml/address.ts';
import type { Node } from '../xml/spans.ts';
import { decodeSaslText, decodeUtf8 } from './base64.ts';
import { readDirectives } from './digest-md5.ts';
import { type MechanismTraits, traitsOf } from './mechanisms.ts';

/** A password as its user gave it. Never to be logged or stored in clear. */
export interface Credentials {
  /** As given for authentication; usually the localpart. */
  readonly username: string;
  readonly secret: string;
}

/** SASL conditions that the proxy itself answers with (RFC 6120 section 6.5). */
export type SaslCondition =
  | 'aborted'
  | 'encryption-required'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request';

export interface RelayRules {
  readonly domain: string;
  /** False where others may listen: no mechanism that shows the password. */
  readonly allowClearText: boolean;
  /** Mechanisms that the client was offered. */
  readonly offered: ReadonlySet<string>;
}

/** One stream's authentication, over all its attempts. */
export class SaslRelay {
  readonly #rules: RelayRules;
  #mechanism = '';
  #traits: MechanismTraits = traitsOf('');
  #messages = 0;
  #userHint: string | undefined;
  #credentials: Credentials | undefined;

  constructor(rules: RelayRules) {
    this.#rules = rules;
  }

  /** Mechanism of the last attempt. */
  get mechanism(): string {
    return this.#mechanism;
  }

  /** The user name as the client gave it, not proved by anything. */
  get userHint(): string | undefined {
    return this.#userHint;
  }

  /** Password of the last attempt, if it was shown and has not been refused. */
  get credentials(): Credentials | undefined {
    return this.#credentials;
  }

  /** `<auth/>`: undefined when it may pass to the server, else the condition to refuse it with. */
  auth(root: Node): SaslCondition | undefined {
    this.forget();
    this.#mechanism = root.attr('mechanism') ?? '';
    this.#traits = traitsOf(this.#mechanism);
    this.#messages = 0;
    if (this.#traits.isClearText && !this.#rules.allowClearText) return 'encryption-required';
    if (!this.#rules.offered.has(this.#mechanism)) return 'invalid-mechanism';
    return this.#message(root);
  }

  /** `<response/>`: as `auth`. */
  response(root: Node): SaslCondition | undefined {
    return this.#message(root);
  }

  /** The attempt has failed, or is begun anew: what was seen of it is dropped. */
  forget(): void {
    this.#credentials = undefined;
    this.#userHint = undefined;
  }

  #message(root: Node): SaslCondition | undefined {
    // Text around children would be read one way here and another way at the server.
    if (root.children.length > 0) return 'malformed-request';
    const decoded = decodeSaslText(root.text());
    if (decoded === undefined) return 'incorrect-encoding';
    if (decoded.data === undefined) return undefined;
    this.#messages += 1;
    switch (this.#traits.style) {
      case 'plain':
        return this.#plain(decoded.data);
      case 'scram':
        return this.#messages === 1 ? this.#scram(decoded.data) : undefined;
      case 'digest':
        return decoded.data.length === 0 ? undefined : this.#digest(decoded.data);
      case 'opaque':
        return undefined;
    }
  }

  /** authzid NUL authcid NUL password (RFC 4616). */
  #plain(data: Buffer): SaslCondition | undefined {
    const parts = decodeUtf8(data)?.split('\0');
    data.fill(0);
    const [authzid, authcid, secret] = parts ?? [];
    if (parts?.length !== 3 || authzid === undefined || !authcid || !secret) return 'malformed-request';
    if (!this.#isOwn(authzid, authcid)) return 'invalid-authzid';
    this.#userHint = authcid;
    if (this.#mechanism === 'PLAIN') this.#credentials = { username: authcid, secret };
    return undefined;
  }

  /** gs2-header and client-first-message-bare (RFC 5802 section 7). */
  #scram(data: Buffer): SaslCondition | undefined {
    const match = /^(?:n|y|p=[A-Za-z0-9.-]+),(?:a=([^,]*))?,(?:m=[^,]*,)?n=([^,]*),r=/.exec(decodeUtf8(data) ?? '');
    const user = unescapeName(match?.[2] ?? '');
    const authzid = unescapeName(match?.[1] ?? '');
    if (match === null || !user || authzid === undefined) return 'malformed-request';
    if (!this.#isOwn(authzid, user)) return 'invalid-authzid';
    this.#userHint = user;
    return undefined;
  }

  /** digest-response (RFC 2831 section 2.1.2), which has an authorisation identity too. */
  #digest(data: Buffer): SaslCondition | undefined {
    const fields = readDirectives(decodeUtf8(data) ?? data.toString('latin1'));
    const user = fields?.get('username');
    if (fields === undefined || !user) return 'malformed-request';
    if (!this.#isOwn(fields.get('authzid') ?? '', user)) return 'invalid-authzid';
    this.#userHint = user;
    return undefined;
  }

  /** Whether an authorisation identity names nobody else than the user whose password is checked. */
  #isOwn(authzid: string, authcid: string): boolean {
    if (authzid === '' || authzid === authcid) return true;
    const asked = accountKey(authzid);
    return (
      asked === accountKey(`${authcid}@${this.#rules.domain}`) ||
      (authcid.includes('@') && asked === accountKey(authcid))
    );
  }
}

/** Resolves =2C and =3D; undefined where a `=` stands for nothing else (RFC 5802 section 5.1). */
function unescapeName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined;
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
