/** The log for people: one line of the JSON log becomes `time level message key=value ...`. */

/** Takes one JSON line and gives one line of text; what is not JSON passes as it is. */
export function prettyLine(line: string): string {
  const entry = parse(line);
  if (!entry) return line;
  const { time, level, msg, ...fields } = entry;
  const clock = String(time).slice(11, 23);
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${show(value)}`);
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${String(msg ?? '')}${pairs.join('')}\n`;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Quotes only where a reader could not tell where the value ends. What a terminal would obey is escaped: it may be anybody's. */
function show(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=\p{C}]+$/u.test(value)) return value;
  return (JSON.stringify(value) ?? '').replace(/\p{C}/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}
