export interface JidParts {
  readonly local: string;
  readonly domain: string;
  readonly resource: string;
}
export type BareKey = string & { readonly __bare: true };
export type FullKey = string & { readonly __full: true };

export function splitJid(_jid: string): JidParts {
  throw new Error('not yet');
}
export function bareOf(_jid: string): string {
  throw new Error('not yet');
}
export function resourceOf(_jid: string): string {
  throw new Error('not yet');
}
export function bareKey(_jid: string): BareKey | undefined {
  throw new Error('not yet');
}
export function fullKey(_jid: string): FullKey | undefined {
  throw new Error('not yet');
}
export function nickKey(_nick: string): string | undefined {
  throw new Error('not yet');
}
