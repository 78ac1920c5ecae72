/** The YAML file. */
import { isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';
import { type Path, plainError } from './errors.ts';
import type { ConfigError } from './types.ts';

export interface ConfigFile {
  /** What it says, unchecked. */
  readonly raw: unknown;
  /** `FILE:LINE` of the key at this path, or of the nearest one above it that the file has. */
  locate(path: Path): string | undefined;
}

/** Reads and parses it. Messages of YAML errors do not quote the file: what stands there may be a secret. */
export function readConfigFile(name: string, readFile: (name: string) => string): ConfigFile | ConfigError[] {
  let text: string;
  try {
    text = readFile(name);
  } catch (error) {
    return [plainError('', `cannot read ${name}: ${reasonOf(error)}`)];
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const line = (offset: number) => `${name}:${lines.linePos(offset).line}`;
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return faults.map((fault) => plainError('', `bad YAML: ${fault.message}`, line(fault.pos[0])));
  if (document.contents !== null && !isMap(document.contents))
    return [plainError('', 'must be a mapping of keys to values', line(0))];

  let raw: unknown;
  try {
    raw = document.toJS() ?? {};
  } catch (error) {
    return [plainError('', `bad YAML: ${error instanceof Error ? error.message : String(error)}`, name)];
  }
  return {
    raw,
    locate(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = keyOffset(
          document.getIn(path.slice(0, length - 1), true) ?? document.contents,
          path[length - 1],
        );
        if (offset !== undefined) return line(offset);
      }
      return name;
    },
  };
}

/** Where in its map or list a key stands: the key itself rather than its value, which may begin lines below. */
function keyOffset(parent: unknown, name: string | number | undefined): number | undefined {
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => (isNode(key) ? String(key) : key) === String(name));
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const item = isSeq(parent) ? parent.items[Number(name)] : undefined;
  if (isNode(item)) return item.range?.[0];
  return undefined;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return error instanceof Error ? error.message : String(error);
}
