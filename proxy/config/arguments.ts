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
                        options: ?trusted=true|false, for tcp also ?tls=none|starttls|direct
  --host NAME           an XMPP domain, followed by its
  --upstream URL        server: xmpp://HOST:PORT, xmpp+starttls://, xmpps://, ws://, wss://
  --http ADDRESS:PORT   metrics and health, or off
  --store memory        where membership is kept
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

/** Reads the command line; never throws. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const result = { help: false, version: false, checkConfig: false, file: undefined as string | undefined };
  const overrides: Override[] = [];
  const errors: ConfigError[] = [];
  const listeners: string[] = [];
  let host: string | undefined;
  let isAfterUnknown = false;

  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      // Most likely the value of the unknown flag before it: told once is enough.
      if (!isAfterUnknown) errors.push(plainError('', `unexpected argument ${JSON.stringify(token.value)}`));
      isAfterUnknown = false;
      continue;
    }
    const flag = token.rawName;
    const name = Object.hasOwn(options, token.name) ? (token.name as OptionName) : undefined;
    isAfterUnknown = name === undefined;
    const fault = name === undefined ? unknownFlag(token.name) : valueFault(name, token.value, token.inlineValue);
    if (name === undefined || fault !== undefined) {
      errors.push(plainError(flag, fault ?? ''));
      continue;
    }
    const value = token.value ?? '';
    const path = simple[name];
    if (path) overrides.push({ path, value, source: flag });
    else if (name === 'help') result.help = true;
    else if (name === 'version') result.version = true;
    else if (name === 'check-config') result.checkConfig = true;
    else if (name === 'config') result.file = value;
    else if (name === 'listen') listeners.push(value);
    else if (name === 'set') addSetting(value, overrides, errors);
    else if (name === 'host') {
      if (host !== undefined) errors.push(lonelyHost(host));
      host = value;
    } else if (host === undefined) {
      errors.push(configError({ path: flag, value, allowed: 'behind the --host that it belongs to' }));
    } else {
      overrides.push({ path: ['hosts', host, 'upstream'], value, source: flag });
      host = undefined;
    }
  }
  if (host !== undefined) errors.push(lonelyHost(host));
  if (listeners.length > 0) overrides.push({ path: ['listeners'], value: listeners, source: '--listen' });
  return { ...result, overrides, errors };
}

/** `a.b`, `hosts[example.org].upstream`, `listeners[0].tls`. Undefined: not a path. */
export function parsePath(text: string): Path | undefined {
  if (!/^[\w-]+(\.[\w-]+|\[[^\]]+\])*$/.test(text)) return undefined;
  const parts = text.matchAll(/\[(\d+)\]|\[([^\]]+)\]|([\w-]+)/g);
  return [...parts].map(([, index, name, plain]) => (index === undefined ? (name ?? plain ?? '') : Number(index)));
}

function addSetting(text: string, overrides: Override[], errors: ConfigError[]): void {
  const end = text.indexOf('=');
  const path = end > 0 ? parsePath(text.slice(0, end).trim()) : undefined;
  if (path) overrides.push({ path, value: text.slice(end + 1).trim(), source: '--set' });
  else
    errors.push(
      plainError('--set', 'takes KEY=VALUE, such as leave.when=never or hosts[example.org].account-streams=false'),
    );
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
