/** The command line. */
import { parseArgs } from 'node:util';
import { configError, nearest, type Path, plainError } from './errors.ts';
import type { ConfigError } from './types.ts';

/** A value given outside the file. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** Flag or environment variable, for messages. */
  readonly source: string;
}

export interface Arguments {
  readonly help: boolean;
  readonly version: boolean;
  readonly checkConfig: boolean;
  /** The YAML file. */
  readonly file: string | undefined;
  readonly overrides: readonly Override[];
  readonly errors: readonly ConfigError[];
}

const options = {
  config: { type: 'string' },
  listen: { type: 'string' },
  host: { type: 'string' },
  upstream: { type: 'string' },
  http: { type: 'string' },
  store: { type: 'string' },
  linger: { type: 'string' },
  'sasl-mode': { type: 'string' },
  'log-level': { type: 'string' },
  set: { type: 'string' },
  'check-config': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

type OptionName = keyof typeof options;

const simple: Readonly<Partial<Record<OptionName, Path>>> = {
  http: ['http'],
  store: ['store'],
  linger: ['linger'],
  'sasl-mode': ['sasl', 'mode'],
  'log-level': ['log', 'level'],
};

/** What `--help` prints. */
export const usage = `Usage: minimix-proxy --config FILE [flags]
       minimix-proxy --listen URL --host NAME --upstream URL [flags]

  --config FILE         YAML file; deploy/minimix-proxy.example.yaml explains every key
  --listen URL          where clients connect, once for each listener; replaces those of the file
                        tcp://ADDRESS:PORT, tls://ADDRESS:PORT, ws://ADDRESS:PORT/PATH, wss://ADDRESS:PORT/PATH
                        options: ?trusted=true|false, ?proxy-protocol=true|false, for tcp also ?tls=none|starttls|direct
  --host NAME           an XMPP domain, followed by its
  --upstream URL        server: xmpp://HOST:PORT, xmpp+starttls://, xmpps://, ws://, wss://
  --http ADDRESS:PORT   metrics and health, or off
  --store URL           where membership is kept: memory, redis://HOST:PORT, rediss://, redis+cluster://HOST:PORT,HOST:PORT,
                        redis+sentinel://SENTINEL:PORT,SENTINEL:PORT/MASTER;
                        a password is better given in the file or in MINIMIX_STORE, which other users cannot see
  --linger TIME         how long an account stays in its rooms with no client: 7d, 0, forever
  --sasl-mode MODE      relay or plain-only
  --log-level LEVEL     debug, info, warn, error, silent
  --set KEY=VALUE       any other key of the file: --set leave.when=never,
                        --set 'hosts[example.org].account-streams=false'
  --check-config        check the configuration, print it in full, and exit
  --help, --version

Environment variables stand between the file and the flags: MINIMIX_CONFIG, MINIMIX_LISTEN (several with spaces between),
MINIMIX_HOST with MINIMIX_UPSTREAM, and MINIMIX_ before the name of any other key: MINIMIX_LOG_LEVEL for log.level,
MINIMIX_LIMITS_STANZA_SIZE for limits.stanza-size.

Exit codes: 0 ended as asked, 1 failed while running (such as an address in use), 2 wrong usage or configuration.
`;

/** What has been read so far. */
interface State {
  help: boolean;
  version: boolean;
  checkConfig: boolean;
  file: string | undefined;
  /** A host that waits for its upstream. */
  host: string | undefined;
  readonly listeners: string[];
  readonly overrides: Override[];
  readonly errors: ConfigError[];
}

/** Reads the command line; never throws. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const state: State = {
    help: false,
    version: false,
    checkConfig: false,
    file: undefined,
    host: undefined,
    listeners: [],
    overrides: [],
    errors: [],
  };
  let isAfterUnknown = false;
  for (const token of tokens) {
    // Behind an unknown flag it is most likely its value: told once is enough.
    if (token.kind === 'positional' && !isAfterUnknown) {
      state.errors.push(plainError('', `unexpected argument ${JSON.stringify(token.value)}`));
    }
    isAfterUnknown = token.kind === 'option' && !isKnown(token.name);
    if (token.kind === 'option') takeOption(token, state);
  }
  if (state.host !== undefined) state.errors.push(lonelyHost(state.host));
  const { help, version, checkConfig, file, listeners, errors } = state;
  // First, so that --set can still change one of them.
  const overrides = [...listenOverride(listeners), ...state.overrides];
  return { help, version, checkConfig, file, overrides, errors };
}

interface Option {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function takeOption(option: Option, state: State): void {
  const { name, rawName: source, value = '' } = option;
  const fault = isKnown(name) ? valueFault(name, option.value, option.inlineValue) : unknownFlag(name);
  if (fault !== undefined) {
    state.errors.push(plainError(source, fault));
    return;
  }
  const path = simple[name as OptionName];
  if (path) state.overrides.push({ path, value, source });
  else if (name === 'help') state.help = true;
  else if (name === 'version') state.version = true;
  else if (name === 'check-config') state.checkConfig = true;
  else if (name === 'config') state.file = value;
  else if (name === 'listen') state.listeners.push(value);
  else if (name === 'set') addSetting(value, state);
  else if (name === 'host') addHost(value, state);
  else addUpstream(value, state);
}

function addHost(name: string, state: State): void {
  if (state.host !== undefined) state.errors.push(lonelyHost(state.host));
  state.host = name;
}

function addUpstream(value: string, state: State): void {
  const { host } = state;
  if (host === undefined) {
    state.errors.push(configError({ path: '--upstream', value, allowed: 'behind the --host that it belongs to' }));
    return;
  }
  state.overrides.push({ path: ['hosts', host, 'upstream'], value, source: '--upstream' });
  state.host = undefined;
}

function listenOverride(listeners: string[]): Override[] {
  return listeners.length === 0 ? [] : [{ path: ['listeners'], value: listeners, source: '--listen' }];
}

function isKnown(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

/** `a.b`, `hosts[example.org].upstream`, `listeners[0].tls`. Undefined: not a path. */
export function parsePath(text: string): Path | undefined {
  if (!/^[\w-]+(\.[\w-]+|\[[^\]]+\])*$/.test(text)) return undefined;
  const parts = text.matchAll(/\[(\d+)\]|\[([^\]]+)\]|([\w-]+)/g);
  return [...parts].map(([, index, name, plain]) => (index === undefined ? (name ?? plain ?? '') : Number(index)));
}

function addSetting(text: string, state: State): void {
  const end = text.indexOf('=');
  const path = end > 0 ? parsePath(text.slice(0, end).trim()) : undefined;
  if (path) {
    state.overrides.push({ path, value: text.slice(end + 1).trim(), source: '--set' });
    return;
  }
  const example = 'leave.when=never or hosts[example.org].account-streams=false';
  state.errors.push(plainError('--set', `takes KEY=VALUE, such as ${example}`));
}

function unknownFlag(name: string): string {
  const hint = nearest(name, Object.keys(options));
  return `unknown flag${hint === undefined ? '' : `; did you mean --${hint}?`}`;
}

/** A flag without its value, or one with a value that takes none. */
function valueFault(name: OptionName, value: string | undefined, isInline: boolean | undefined): string | undefined {
  if (options[name].type === 'boolean') return value === undefined ? undefined : 'takes no value';
  // What looks like the next flag is one, unless it was written with an equals sign.
  const isMissing = value === undefined || value === '' || (value.startsWith('-') && isInline !== true);
  return isMissing ? 'needs a value' : undefined;
}

function lonelyHost(name: string): ConfigError {
  return configError({ path: '--host', value: name, allowed: 'a domain, followed by --upstream URL' });
}
