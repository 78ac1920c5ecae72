import { NS } from './names.ts';

/** Namespaces that a stream header declares: prefix ('' is the default namespace) to namespace name. */
export type Declarations = ReadonlyMap<string, string>;

/** What a stream header usually declares on a client's TCP connection. */
export const USUAL_DECLARATIONS: Declarations = new Map([
  ['', NS.client],
  ['stream', NS.streams],
]);

/** No declarations: a WebSocket frame stands alone. */
export const NO_DECLARATIONS: Declarations = new Map();

/** The same: each prefix has to be declared. */
export function asTheyAre(declarations: Declarations): Declarations {
  return declarations;
}

/**
 * The same, with no prefix missing: one that nobody has declared stands for a namespace that nobody knows. For peers that
 * pass on what others have sent.
 * COMPAT: ejabberd 23.01 passes on a client's stanzas without the declarations of that client's stream header.
 */
export function mended(declarations: Declarations): Declarations {
  return new MendedDeclarations(declarations);
}

class MendedDeclarations extends Map<string, string> {
  override get(prefix: string): string | undefined {
    return super.get(prefix) ?? (prefix === '' ? undefined : `urn:x-undeclared:${prefix}`);
  }
}
