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
