/**
 * Configuration: one YAML file, environment variables over it, flags over both; checked as a whole, every fault reported.
 */
import { type Arguments, parseArguments } from './config/arguments.ts';
import { convert, warningsFor } from './config/convert.ts';
import { type Environment, readEnvironment } from './config/environment.ts';
import { configError, type Path, plainError, schemaErrors, valueAt } from './config/errors.ts';
import { readConfigFile } from './config/file.ts';
import { withDefaults } from './config/keys.ts';
import { overlay } from './config/overlay.ts';
import { schema } from './config/schema.ts';
import type { Config, ConfigError } from './config/types.ts';

export { type Arguments, parseArguments, usage } from './config/arguments.ts';
export { formatEffective } from './config/effective.ts';
export type {
  CertificateConfig,
  Config,
  ConfigError,
  HistoryConfig,
  HostConfig,
  HttpConfig,
  LeaveConfig,
  LimitsConfig,
  ListenerConfig,
  LogLevel,
  RateConfig,
  RateLimit,
  SealingConfig,
  StoreConfig,
  UpstreamConfig,
  XmlLimits,
} from './config/types.ts';
export { hostKey, maxTimerMs } from './config/values.ts';

/** Where a configuration comes from. */
export interface ConfigInput {
  /** The arguments behind the program's name. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Content of a text file; throws like `fs.readFileSync`. */
  readonly readFile: (name: string) => string;
}

/** A configuration that is right. */
export interface Loaded {
  readonly config: Config;
  /** What is allowed but probably not meant, a sentence each. */
  readonly warnings: readonly string[];
  /** The same under the names of the file, every default written out; secrets included. */
  readonly effective: unknown;
}

/** The frozen configuration, or everything that is wrong with it (at least one error). */
export function loadConfig(input: ConfigInput): Config | ConfigError[] {
  const loaded = loadAll(input, parseArguments(input.argv));
  return Array.isArray(loaded) ? loaded : loaded.config;
}

/** As `loadConfig`, with arguments parsed already, and with what else is worth telling. */
export function loadAll(input: Omit<ConfigInput, 'argv'>, args: Arguments): Loaded | ConfigError[] {
  const environment = readEnvironment(input.env);
  const errors = [...args.errors, ...environment.errors];
  const fileName = args.file ?? environment.file;
  const file = fileName === undefined ? undefined : readConfigFile(fileName, input.readFile);
  if (Array.isArray(file)) return [...errors, ...file];
  const { raw, sourceOf } = overlay(file?.raw ?? {}, [...environment.overrides, ...args.overrides]);
  const loaded = check(raw, (path) => sourceOf(path) ?? file?.locate(path));
  if (Array.isArray(loaded)) return [...errors, ...loaded];
  return errors.length > 0 ? errors : loaded;
}

/** Checks a configuration in the file's form (`{ listeners: [...], hosts: {...} }`), as for an app in a test. */
export function parseConfig(raw: unknown): Config | ConfigError[] {
  const loaded = check(raw, () => undefined);
  return Array.isArray(loaded) ? loaded : loaded.config;
}

function check(raw: unknown, sourceOf: (path: Path) => string | undefined): Loaded | ConfigError[] {
  const parsed = schema.safeParse(raw);
  if (!parsed.success) return schemaErrors(parsed.error.issues, raw, sourceOf);
  const hosts = valueAt(raw, ['hosts']);
  // The schema's mapping leaves this one name out without a word.
  if (typeof hosts === 'object' && hosts !== null && Object.hasOwn(hosts, '__proto__')) {
    return [plainError('hosts', '__proto__ is not a domain', sourceOf(['hosts']))];
  }
  const config = convert(parsed.data);
  if (!Array.isArray(config)) return { config, warnings: warningsFor(config), effective: withDefaults(raw) };
  return config.map(({ path, allowed }) =>
    configError({ path, value: valueAt(raw, path), allowed, source: sourceOf(path) }),
  );
}
