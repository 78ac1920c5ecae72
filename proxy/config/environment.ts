/** Environment variables: `MINIMIX_` and the name of a key. */
import type { Override } from './arguments.ts';
import { nearest, type Path, plainError } from './errors.ts';
import { anyName, listKeys } from './keys.ts';
import type { ConfigError } from './types.ts';

const prefix = 'MINIMIX_';

/** What Kubernetes sets in every container for a service whose name begins with "minimix". */
const serviceVariable = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

function isServiceVariable(name: string, value: string): boolean {
  return serviceVariable.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
}

/** Values by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  readonly file: string | undefined;
  readonly overrides: readonly Override[];
  readonly errors: readonly ConfigError[];
}

/** `MINIMIX_LIMITS_STANZA_SIZE` for `limits.stanza-size`; keys of single listeners and hosts have none. */
export function variableOf(path: readonly string[]): string {
  return prefix + path.join('_').replaceAll('-', '_').toUpperCase();
}

/** Reads the environment. A variable that is empty counts as not set. */
export function readEnvironment(environment: Environment): EnvironmentSettings {
  const paths = new Map<string, Path>();
  for (const { path } of listKeys()) if (!path.includes(anyName)) paths.set(variableOf(path), path);
  const special = ['CONFIG', 'LISTEN', 'HOST', 'UPSTREAM'].map((name) => prefix + name);
  const overrides: Override[] = [];
  const errors: ConfigError[] = [];

  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || value === undefined || value === '') continue;
    const path = paths.get(name);
    if (path) overrides.push({ path, value, source: name });
    else if (!special.includes(name) && !isServiceVariable(name, value)) {
      const hint = nearest(name, [...special, ...paths.keys()]);
      errors.push(plainError(name, `unknown variable${hint === undefined ? '' : `; did you mean ${hint}?`}`));
    }
  }

  const { MINIMIX_LISTEN: listen, MINIMIX_HOST: host, MINIMIX_UPSTREAM: upstream } = environment;
  if (listen) overrides.push({ path: ['listeners'], value: listen.trim().split(/[\s,]+/), source: 'MINIMIX_LISTEN' });
  if (host && upstream)
    overrides.push({ path: ['hosts', host, 'upstream'], value: upstream, source: 'MINIMIX_UPSTREAM' });
  else if (host || upstream) {
    errors.push(
      plainError(host ? 'MINIMIX_HOST' : 'MINIMIX_UPSTREAM', 'goes together with MINIMIX_HOST and MINIMIX_UPSTREAM'),
    );
  }
  return { file: environment.MINIMIX_CONFIG || undefined, overrides, errors };
}
