/** Makes any value fit for a log line or an error message: secrets masked, bytes counted, size bounded. */

const secretName = /password|passwd|passphrase|secret|token|initial.?response|authorization|credential|private.?key/i;

/** What stands in place of a secret. */
export const masked = '[masked]';

const maxDepth = 4;
const maxItems = 20;
const maxText = 1000;

/** Whether a field of this name holds what must not be shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** Masks the user part of URLs (`redis://user:password@host`) and private keys. */
export function maskText(text: string): string {
  if (text.includes('PRIVATE KEY-----')) return masked;
  return text.includes('@') ? text.replace(/:\/\/[^/?#\s]*@/g, `://${masked}@`) : text;
}

/** The same for what should have been a URL: a password in it may hold anything, so all up to the last `@` is masked. */
export function maskMalformed(text: string): string {
  return maskText(text.replace(/:(\/*).*@/s, `:$1${masked}@`));
}

/**
 * Plain data for JSON. Objects of classes (a stanza, a socket) become their class's name, Errors their name, code and
 * message; the stack only where there is no code, since coded errors are expected ones.
 */
export function redact(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : redactObject(value, depth);
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
  }
}

/** All fields of an object, each redacted. */
export function redactFields(fields: object, depth = 0): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) result[name] = isSecretName(name) ? masked : redact(value, depth + 1);
  }
  return result;
}

function redactText(text: string): string {
  const safe = maskText(text);
  return safe.length > maxText ? `${safe.slice(0, maxText)}… (${safe.length} characters)` : safe;
}

function redactObject(value: object, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth > maxDepth) return '[…]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) {
    const items = value.slice(0, maxItems).map((item) => redact(item, depth + 1));
    return value.length > maxItems ? [...items, `… ${value.length} in all`] : items;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return redactFields(value, depth);
  return `[${value.constructor?.name ?? 'object'}]`;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const code: unknown = 'code' in error ? error.code : undefined;
  const hasCode = typeof code === 'string' || typeof code === 'number';
  return {
    name: error.name,
    ...(hasCode ? { code } : {}),
    message: redactText(error.message),
    ...(hasCode || error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}
