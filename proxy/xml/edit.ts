/** Changes to a stanza as splices on its original bytes; what is not touched stays the text that came. */
import type { Declarations } from './declarations.ts';
import type { Node } from './spans.ts';
import type { Stanza } from './stanza.ts';

export class Edit {
  constructor(_stanza: Stanza) {}
  setAttr(_node: Node, _name: string, _value: string): this {
    throw new Error('not yet');
  }
  removeAttr(_node: Node, _name: string): this {
    throw new Error('not yet');
  }
  remove(_node: Node): this {
    throw new Error('not yet');
  }
  append(_node: Node, _xml: string | Buffer): this {
    throw new Error('not yet');
  }
  replace(_node: Node, _xml: string | Buffer): this {
    throw new Error('not yet');
  }
  toBuffer(): Buffer {
    throw new Error('not yet');
  }
}

export interface AddressChange {
  to?: string | null | undefined;
  from?: string | null | undefined;
  id?: string | null | undefined;
}

export function readdress(_stanza: Stanza, _change: AddressChange): Buffer {
  throw new Error('not yet');
}

export class Fork {
  constructor(_stanza: Stanza) {}
  for(_to: string, _own: Declarations | 'websocket'): Buffer {
    throw new Error('not yet');
  }
}

export function bridge(_stanza: Stanza, _target: Declarations | 'websocket'): Buffer | undefined {
  throw new Error('not yet');
}
