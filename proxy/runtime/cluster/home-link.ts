/** What an account's home needs to serve the sessions that are on other nodes. */
import type { Input } from '../../core/inputs.ts';
import type { AccountState } from '../../core/state.ts';
import type { Guest } from './guest.ts';
import type { Message } from './messages.ts';

export interface HomeLink {
  readonly account: string;
  readonly epoch: number;
  readonly state: AccountState;
  send(to: string, message: Message, payload?: Buffer): void;
  input(input: Input): void;
  /** The sessions of a node that has attached come with what they know. */
  arrive(guest: Guest, payload: Buffer): void;
  /** Whether this node can open an account stream. */
  hasCredentials(): boolean;
  now(): number;
  mustWait(): boolean;
  onTurn(): void;
}
