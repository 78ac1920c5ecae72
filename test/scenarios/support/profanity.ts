/** The terminal client profanity, driven through a pseudo-terminal as a person at the keys would; what it hears is in its chat logs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { ensurePackages, packagesOf } from '../../servers/install.ts';
import type { TestContext } from '../../support/suite.ts';
import { until } from './witness.ts';

export interface Terminal {
  /** `/join`, up to its words that it is inside. */
  join(room: string, nick: string): Promise<void>;
  /** Types a line, a command or something to say, and Enter. */
  type(line: string): void;
  /** What the room has said so far, as `nick: text`, in order. */
  heard(room: string): string[];
  /** All that it has put on the screen, with the codes that move the cursor. */
  readonly screen: string;
  /** SIGKILL: nothing is closed in order. */
  kill(): Promise<void>;
  /** `/quit`. */
  quit(): Promise<void>;
}

export interface TerminalOptions {
  user: string;
  /** Of a plain TCP listener on 127.0.0.1. */
  port: number;
  mucDomain: string;
  nick: string;
}

/** A home folder for profanity: it may be started in it again and again. */
export function terminalHome({ after }: Pick<TestContext, 'after'>, options: TerminalOptions): string {
  ensurePackages(packagesOf.profanity);
  const home = mkdtempSync(join(tmpdir(), 'minimix-profanity-'));
  after(() => rmSync(home, { recursive: true, force: true }));
  for (const folder of ['config/profanity', 'data/profanity']) mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(join(home, 'config/profanity/profrc'), settings);
  writeFileSync(join(home, 'data/profanity/accounts'), account(options), { mode: 0o600 });
  return home;
}

/** Starts it and waits until it is logged in. */
export async function startTerminal({ after }: Pick<TestContext, 'after'>, home: string): Promise<Terminal> {
  const env = {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    TERM: 'xterm',
    LC_ALL: 'C.UTF-8',
  };
  const command = 'stty rows 50 cols 200; exec profanity -a account -l DEBUG';
  const child = spawn('script', ['-q', '-f', '-c', command, '/dev/null'], { env, stdio: 'pipe', detached: true });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = async (): Promise<void> => {
    killGroup(child);
    await ended;
  };
  after(end);
  const shows = async (what: string, words: string): Promise<void> => {
    await until(`profanity ${what}`, () => screen.includes(words), 15_000).catch((error: Error) => {
      throw new Error(`${error.message}; on its screen:\n${printable(screen)}`);
    });
  };
  const terminal: Terminal = {
    type: (line) => void child.stdin.write(`${line}\r`),
    async join(room, nick) {
      terminal.type(`/join ${room} nick ${nick}`);
      await shows('is in the room', 'You have joined the room');
    },
    heard: (room) => readLog(home, room),
    get screen() {
      return screen;
    },
    kill: end,
    async quit() {
      child.stdin.write('/quit\r');
      await ended;
    },
  };
  await shows('has logged in', 'logged in successfully');
  return terminal;
}

/** The pseudo-terminal's process and what runs in it. */
function killGroup({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}

function printable(screen: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: codes of the terminal begin with one.
  return screen.replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0009\u000b-\u001f]/g, ' ').replace(/ {3,}/g, '  ');
}

const settings = `[ui]
splash=false
[logging]
chlog=true
grlog=true
[notifications]
message=off
room=off
typing=false
`;

function account({ user, port, mucDomain, nick }: TerminalOptions): string {
  return `[account]
enabled=true
jid=${user}@localhost
resource=terminal
server=127.0.0.1
port=${port}
tls.policy=disable
password=${user}
muc.service=${mucDomain}
muc.nick=${nick}
presence.login=online
presence.last=online
`;
}

/** Lines of a log are \`time - nick: text\`. */
function readLog(home: string, room: string): string[] {
  const chatlogs = join(home, 'data/profanity/chatlogs');
  if (!existsSync(chatlogs)) return [];
  const name = room.replace('@', '_at_');
  const files = readdirSync(chatlogs, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.includes(name) && file.endsWith('.log'),
  );
  const lines = files.sort().flatMap((file) => readFileSync(join(chatlogs, file), 'utf8').split('\n'));
  return lines.flatMap((line) => /^\S+ - (.*?: .*)$/.exec(line)?.[1] ?? []);
}
