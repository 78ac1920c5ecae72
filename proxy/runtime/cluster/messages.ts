/**
 * What nodes say to each other about an account. Its home and each other node that has sessions of it keep a channel between
 * them; what goes over a channel is numbered, so that nothing is lost or done twice, whatever happens to the bus.
 */

/** Names a channel: made by the node that attaches, unguessable, never used twice. */
export type ChannelId = string;

export type Message =
  /**
   * To the home: sessions of the account are here. `seen`: the last envelope that was taken from the home. `knows`: a payload
   * with what these sessions know follows: the channel is a new one.
   */
  | {
      readonly kind: 'attach';
      readonly account: string;
      readonly channel: ChannelId;
      readonly seen: number;
      readonly knows: boolean;
    }
  /** The home takes part in the channel. `seen`: the last envelope that it has taken. */
  | {
      readonly kind: 'attached';
      readonly account: string;
      readonly channel: ChannelId;
      readonly epoch: number;
      readonly seen: number;
    }
  /** `no-home`: the account is not at home here. `no-channel`: it is, and nothing is known of that channel. */
  | {
      readonly kind: 'refused';
      readonly account: string;
      readonly channel: ChannelId;
      readonly reason: 'no-home' | 'no-channel';
    }
  /** A payload follows: inputs to the home, effects from it. `seen` as above; `number` counts from 1. */
  | {
      readonly kind: 'data';
      readonly account: string;
      readonly channel: ChannelId;
      readonly epoch: number;
      readonly number: number;
      readonly seen: number;
    }
  | {
      readonly kind: 'seen';
      readonly account: string;
      readonly channel: ChannelId;
      readonly epoch: number;
      readonly seen: number;
    }
  /** To the home: no session of the account is here any more. */
  | { readonly kind: 'detach'; readonly account: string; readonly channel: ChannelId }
  /** From a home that has given the account to another node. */
  | { readonly kind: 'moved'; readonly account: string; readonly epoch: number; readonly to: string }
  /** To the new home: a payload with the account's whole state follows. */
  | { readonly kind: 'home'; readonly account: string; readonly bare: string; readonly epoch: number };
