/** What keys there are, read off the schema: for environment variables, for hints, and to print a configuration in full. */
import { z } from 'zod';
import { schema } from './schema.ts';

/** In paths it stands for the index of a list and for the name of a host. */
export const anyName = '*';

export interface KeyInfo {
  /** Names from the top down, `*` for an index or a host. */
  readonly path: readonly string[];
  /** As it would be written; undefined where there is no default. */
  readonly preset: unknown;
}

/** All keys that hold a value, in the schema's order; sections are not among them. */
export function listKeys(): KeyInfo[] {
  const keys: KeyInfo[] = [];
  visit(schema, [], undefined, keys);
  return keys;
}

/** Names that may stand in the section at this path (indexes and hosts as given); empty where it is no section. */
export function namesIn(path: readonly PropertyKey[]): string[] {
  let type: z.core.$ZodType | undefined = bare(schema).type;
  for (const name of path) type = type && child(type, String(name));
  return type instanceof z.ZodObject ? Object.keys(type.shape) : [];
}

/** The raw configuration with every default written out, in the schema's order. Only for what the schema has accepted. */
export function withDefaults(raw: unknown): unknown {
  return fill(schema, raw);
}

function visit(type: z.core.$ZodType, path: string[], preset: unknown, keys: KeyInfo[]): void {
  const inner = bare(type);
  const own = inner.preset ?? preset;
  if (inner.type instanceof z.ZodObject) {
    for (const [name, next] of Object.entries(inner.type.shape)) visit(next, [...path, name], undefined, keys);
  } else if (inner.type instanceof z.ZodArray) {
    visit(inner.type.element, [...path, anyName], undefined, keys);
  } else if (inner.type instanceof z.ZodRecord) {
    visit(inner.type.valueType, [...path, anyName], undefined, keys);
  } else {
    keys.push({ path, preset: own });
  }
}

function child(type: z.core.$ZodType, name: string): z.core.$ZodType | undefined {
  if (type instanceof z.ZodArray) return bare(type.element).type;
  if (type instanceof z.ZodRecord) return bare(type.valueType).type;
  if (type instanceof z.ZodObject && Object.hasOwn(type.shape, name)) return bare(type.shape[name]).type;
  return undefined;
}

function fill(type: z.core.$ZodType, raw: unknown): unknown {
  const inner = bare(type);
  const value = raw ?? inner.preset;
  if (inner.type instanceof z.ZodObject && isRecord(value)) {
    const entries = Object.entries(inner.type.shape).map(([name, next]) => [name, fill(next, value[name])] as const);
    return Object.fromEntries(entries.filter(([, next]) => next !== undefined));
  }
  if (inner.type instanceof z.ZodArray && Array.isArray(value)) {
    const { element } = inner.type;
    return value.map((item) => fill(element, item));
  }
  if (inner.type instanceof z.ZodRecord && isRecord(value)) {
    const { valueType } = inner.type;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(valueType, item)]));
  }
  return value;
}

/** The type without what is wrapped around it, and the default found on the way. */
function bare(type: z.core.$ZodType): { type: z.core.$ZodType; preset: unknown } {
  let preset: unknown;
  let inner = type;
  for (;;) {
    if (inner instanceof z.ZodPrefault) {
      preset ??= inner.def.defaultValue;
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodOptional) {
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodPipe) {
      // preprocess: transform first, then the type; a key: the value first, then transform.
      inner = inner.def.in instanceof z.ZodTransform ? inner.def.out : inner.def.in;
    } else {
      return { type: inner, preset };
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
