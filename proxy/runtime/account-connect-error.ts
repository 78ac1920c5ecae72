/** Why an account stream could not be had, and how a server's conditions are understood. */

/**
 * - `unreachable`: no connection, no answer in time, or the server says that it is a passing trouble: try again later.
 * - `refused`: the server refuses these credentials. Final: forget the password.
 * - `no-mechanism`: the server offers none that we speak.
 * - `conflict`: the server refuses another session or this resource: long back-off.
 * - `protocol`: it said something that we do not understand, or its proof of knowing the password was wrong.
 * - `not-resumed`: the server has the session no more that was to go on.
 * - `tls`: no TLS where it is wanted, or its certificate is not valid.
 */
export type AccountConnectCode =
  | 'unreachable'
  | 'refused'
  | 'no-mechanism'
  | 'conflict'
  | 'protocol'
  | 'not-resumed'
  | 'tls';

export class AccountConnectError extends Error {
  override readonly name = 'AccountConnectError';
  readonly code: AccountConnectCode;
  /** The server's own condition (SASL, stanza or stream error), where it gave one. */
  readonly condition: string | undefined;
  /** With `not-resumed`: how many stanzas the server had handled, where it says so (XEP-0198 section 5). */
  readonly handled: number | undefined;

  constructor(code: AccountConnectCode, message: string, condition?: string, handled?: number) {
    super(message);
    this.code = code;
    this.condition = condition;
    this.handled = handled;
  }
}

/** Conditions of RFC 6120 section 6.5 that do not speak of the credentials. */
const saslFailures: ReadonlyMap<string, AccountConnectCode> = new Map([
  ['temporary-auth-failure', 'unreachable'],
  ['aborted', 'unreachable'],
  ['invalid-mechanism', 'no-mechanism'],
  ['mechanism-too-weak', 'no-mechanism'],
  ['encryption-required', 'no-mechanism'],
  ['incorrect-encoding', 'protocol'],
  ['malformed-request', 'protocol'],
]);

export function saslFailureCode(condition: string): AccountConnectCode {
  return saslFailures.get(condition) ?? 'refused';
}

const streamErrors: ReadonlyMap<string, AccountConnectCode> = new Map([
  ['conflict', 'conflict'],
  ['connection-timeout', 'unreachable'],
  ['host-gone', 'unreachable'],
  ['host-unknown', 'unreachable'],
  ['internal-server-error', 'unreachable'],
  ['remote-connection-failed', 'unreachable'],
  ['reset', 'unreachable'],
  ['resource-constraint', 'conflict'],
  ['see-other-host', 'unreachable'],
  ['system-shutdown', 'unreachable'],
]);

export function streamErrorCode(condition: string): AccountConnectCode {
  return streamErrors.get(condition) ?? 'protocol';
}

/** RFC 6120 section 7.6.2.1 and what servers answer to one session too many. */
const bindErrors: ReadonlySet<string | undefined> = new Set([
  'conflict',
  'not-allowed',
  'policy-violation',
  'resource-constraint',
]);

export function bindErrorCode(condition: string | undefined, type: string | undefined): AccountConnectCode {
  if (bindErrors.has(condition)) return 'conflict';
  return type === 'wait' ? 'unreachable' : 'protocol';
}
