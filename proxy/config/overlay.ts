/** Lays what flags and environment variables say over what the file says. */
import type { Override } from './arguments.ts';
import { formatPath, type Path } from './errors.ts';
import { hostKey } from './values.ts';

export interface Overlaid {
  readonly raw: unknown;
  /** The flag or variable that gave the value at this path, or what stands above it; undefined: neither did. */
  sourceOf(path: Path): string | undefined;
}

/** The later override wins. What the file says is not changed: a copy is. */
export function overlay(base: unknown, overrides: readonly Override[]): Overlaid {
  const raw: unknown = structuredClone(base);
  const sources = new Map<string, string>();
  for (const override of overrides) {
    const path = asSpelled(raw, override.path);
    setAt(raw, path, override.value);
    sources.set(formatPath(path), override.source);
  }
  return {
    raw,
    sourceOf(path) {
      for (let length = path.length; length > 0; length--) {
        const source = sources.get(formatPath(path.slice(0, length)));
        if (source !== undefined) return source;
      }
      return undefined;
    },
  };
}

/** A host is the same however it is spelled: the file's spelling is taken, so that it is not configured twice. */
function asSpelled(raw: unknown, path: Path): Path {
  if (path[0] !== 'hosts' || path.length < 2) return path;
  const hosts = isObject(raw) && Object.hasOwn(raw, 'hosts') ? raw.hosts : undefined;
  const wanted = hostKey(String(path[1]));
  const known = isObject(hosts) ? Object.keys(hosts).find((name) => hostKey(name) === wanted) : undefined;
  return ['hosts', known ?? String(path[1]), ...path.slice(2)];
}

/** Makes the mappings on the way where there are none. Never follows what is inherited, such as `__proto__`. */
function setAt(raw: unknown, path: Path, value: unknown): void {
  let target = raw;
  for (const [index, name] of path.entries()) {
    if (!isObject(target)) return;
    const isLast = index === path.length - 1;
    const existing: unknown = Object.hasOwn(target, name) ? target[name] : undefined;
    const next: unknown = isLast ? value : isObject(existing) ? existing : {};
    if (isLast || next !== existing) {
      Object.defineProperty(target, name, { value: next, writable: true, enumerable: true, configurable: true });
    }
    target = next;
  }
}

/** Mappings and lists alike. */
function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
