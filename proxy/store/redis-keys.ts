/** Names of keys. What stands between braces decides the slot (Redis Cluster's hash tags). */

export interface Keys {
  /** home, sessions, rooms, joined: all of an account, in one slot. */
  account(account: string): [home: string, sessions: string, rooms: string, joined: string];
  /** What an account has heard in a room; in the slot of the account. */
  log(account: string, room: string): [entries: string, until: string];
  /** What an account's devices have read. */
  cursors(account: string): string;
  /** A session without a connection. */
  sleeper(name: string): string;
  /** Which nodes live. */
  readonly nodes: string;
  /** Accounts that wait for a node to take them up. */
  readonly orphans: string;
  /** Accounts with sessions on a node. */
  sessionsOn(node: string): string;
  /** Accounts whose home a node is or was. */
  homesOn(node: string): string;
  /** A node's inbox, and how many envelopes were ever put into it; in one slot. */
  inbox(node: string): [stream: string, count: string];
}

/** `prefix` stands in front of all; it may not contain braces. */
export function keysWith(prefix: string): Keys {
  return {
    account: (account) => {
      const tag = `${prefix}{${tagOf(account)}}:`;
      return [`${tag}home`, `${tag}sessions`, `${tag}rooms`, `${tag}joined`];
    },
    log: (account, room) => {
      const name = `${prefix}{${tagOf(account)}}:log:${room}`;
      return [name, `${name}/until`];
    },
    cursors: (account) => `${prefix}{${tagOf(account)}}:cursors`,
    sleeper: (name) => `${prefix}sleeper:{${tagOf(name)}}`,
    nodes: `${prefix}nodes`,
    orphans: `${prefix}orphans`,
    sessionsOn: (node) => `${prefix}node:{${tagOf(node)}}:sessions`,
    homesOn: (node) => `${prefix}node:{${tagOf(node)}}:homes`,
    inbox: (node) => {
      const tag = `${prefix}node:{${tagOf(node)}}:inbox`;
      return [tag, `${tag}:count`];
    },
  };
}

/** An account's name may hold braces, and a tag ends at the first one; an empty tag would be none. */
function tagOf(name: string): string {
  return name === '' ? '%' : name.replace(/[%{}]/g, encodeURIComponent);
}
