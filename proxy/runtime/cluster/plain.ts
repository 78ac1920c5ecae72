/** Values with stanzas, maps and sets in them as JSON, and back. */
import { Stanza } from '../../xml/stanza.ts';
import type { Payload, Reading, TextRef } from './envelope.ts';

/** JSON; an object with a key of the form `$…` stands for something else. */
export type Plain = unknown;

/** What is undefined in an object is left out. */
export function toPlain(value: unknown, payload: Payload<never> | Payload<object>): Plain {
  if (value instanceof Stanza) return { $stanza: payload.stanza(value) };
  if (value instanceof Map) return { $map: [...value].map(([key, one]) => [key, toPlain(one, payload)]) };
  if (value instanceof Set) return { $set: [...value].map((one) => toPlain(one, payload)) };
  if (Array.isArray(value)) return value.map((one) => toPlain(one, payload));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.map(([key, one]) => [key, toPlain(one, payload)]));
}

/** @throws ViolationError on what no node has written */
export function fromPlain(plain: Plain, reading: Reading<object>): unknown {
  if (Array.isArray(plain)) return plain.map((one) => fromPlain(one, reading));
  if (typeof plain !== 'object' || plain === null) return plain;
  const { $stanza, $map, $set } = plain as { $stanza?: TextRef; $map?: [unknown, Plain][]; $set?: Plain[] };
  if ($stanza !== undefined) return reading.stanza($stanza);
  if ($map) return new Map($map.map(([key, one]) => [key, fromPlain(one, reading)]));
  if ($set) return new Set($set.map((one) => fromPlain(one, reading)));
  return Object.fromEntries(Object.entries(plain).map(([key, one]) => [key, fromPlain(one, reading)]));
}
