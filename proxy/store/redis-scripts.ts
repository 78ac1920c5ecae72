/**
 * The store's atomic steps: one file each below scripts/, run in Redis by its SHA-1. Redis Cluster allows a script the keys
 * of one slot; therefore all keys of an account carry its name as hash tag (see redis-keys.ts).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A step, with what stands in front of it. */
const files = {
  addSession: ['account', 'deposit', 'add-session'],
  removeSession: ['account', 'deposit', 'remove-session'],
  join: ['account', 'fence', 'join'],
  leave: ['account', 'fence', 'leave'],
  setOccupancy: ['account', 'fence', 'set-occupancy'],
  endOccupancy: ['account', 'fence', 'deposit', 'end-occupancy'],
  snapshot: ['snapshot'],
  claim: ['account', 'claim'],
  renew: ['account', 'fence', 'renew'],
  release: ['account', 'fence', 'release'],
  move: ['account', 'fence', 'move'],
  holder: ['holder'],
  void: ['void'],
  announce: ['announce'],
  heartbeat: ['heartbeat'],
  life: ['life'],
  nodes: ['nodes'],
  writeLog: ['account', 'fence', 'room-log', 'write-log'],
  readLog: ['room-log', 'read-log'],
  forgetLog: ['account', 'fence', 'room-log', 'forget-log'],
  noteCursors: ['note-cursors'],
  readCursors: ['read-cursors'],
  putSleeper: ['put-sleeper'],
  readSleeper: ['sleeper', 'read-sleeper'],
  takeSleeper: ['sleeper', 'take-sleeper'],
  putDeposit: ['account', 'deposit', 'put-deposit'],
  readDeposit: ['read-deposit'],
  forgetDeposit: ['forget-deposit'],
  orphan: ['account', 'orphan'],
  waiting: ['waiting'],
  ended: ['ended'],
  index: ['index'],
  unindex: ['unindex'],
  openInbox: ['open-inbox'],
  send: ['send'],
  keepInbox: ['keep-inbox'],
} as const satisfies Record<string, readonly string[]>;

export type ScriptName = keyof typeof files;

export interface Script {
  /** Its file's, as a metric's label. */
  readonly name: string;
  readonly source: string;
  /** By which Redis knows it once it has run. */
  readonly sha: string;
}

export type Scripts = Readonly<Record<ScriptName, Script>>;

/**
 * Reads all scripts; throws an error that names the file when one is missing. `clock` takes the place of scripts/clock.lua:
 * with it tests run the steps by a clock that they set.
 */
export function loadScripts(clock = read('clock')): Scripts {
  const load = (parts: readonly string[]): Script => {
    const source = [clock, ...parts.map(read)].join('\n');
    return { name: parts.at(-1) ?? '', source, sha: createHash('sha1').update(source).digest('hex') };
  };
  const scripts = Object.entries(files).map(([name, parts]) => [name, load(parts)] as const);
  return Object.fromEntries(scripts) as Record<ScriptName, Script>;
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}
