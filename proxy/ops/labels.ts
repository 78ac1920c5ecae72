/** Guards for labels: whatever comes from outside, a label takes a bounded set of words. */

/** Turns any text into a value that a label may have. */
export interface Guard {
  (value: string): string;
  /** All values, where they are known beforehand: their series exist from the start, at 0. */
  readonly values?: readonly string[];
}

const other = 'other';
const maxWords = 64;

const mechanisms = new Set([
  'PLAIN',
  'EXTERNAL',
  'ANONYMOUS',
  'DIGEST-MD5',
  'CRAM-MD5',
  'LOGIN',
  'GSSAPI',
  'GS2-KRB5',
  'OAUTHBEARER',
  'X-OAUTH2',
  'SCRAM-SHA-1',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-256',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-512-PLUS',
  'jabber:iq:auth',
]);

/** RFC 6120 section 4.9.3, and the one name that RFC 3920 had. */
const conditions = new Set([
  'bad-format',
  'bad-namespace-prefix',
  'conflict',
  'connection-timeout',
  'host-gone',
  'host-unknown',
  'improper-addressing',
  'internal-server-error',
  'invalid-from',
  'invalid-namespace',
  'invalid-xml',
  'not-authorized',
  'not-well-formed',
  'policy-violation',
  'remote-connection-failed',
  'reset',
  'resource-constraint',
  'restricted-xml',
  'see-other-host',
  'system-shutdown',
  'undefined-condition',
  'unsupported-encoding',
  'unsupported-feature',
  'unsupported-stanza-type',
  'unsupported-version',
  'xml-not-well-formed',
]);

/** SASL mechanisms in use; the legacy exchange counts as `jabber:iq:auth`. */
export const mechanismLabel: Guard = (value) => (mechanisms.has(value) ? value : other);

/** Conditions of stream errors; a server may send any name. */
export const conditionLabel: Guard = (value) => (conditions.has(value) ? value : other);

/** For words that our own code chooses: kebab-case, and no more than 64 different ones in a guard's life. */
export function createGuard(): Guard {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= maxWords || !/^[a-z][a-z0-9_-]{0,39}$/i.test(value)) return other;
    seen.add(value);
    return value;
  };
}

/** A closed set of values. */
export function oneOf(...values: string[]): Guard {
  const known = new Set(values);
  return Object.assign((value: string) => (known.has(value) ? value : other), { values });
}
