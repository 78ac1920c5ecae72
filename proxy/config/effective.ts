/** Prints a configuration in full, for the operator's eyes. */
import { stringify } from 'yaml';
import { isSecretName, masked, maskText } from '../ops/redact.ts';

/** YAML with every secret masked; `effective` as `loadAll` returns it. */
export function formatEffective(effective: unknown): string {
  return stringify(effective, maskValue, { lineWidth: 0 });
}

function maskValue(key: unknown, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return isSecretName(String(key)) ? masked : maskText(value);
}
