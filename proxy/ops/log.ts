/**
 * The log: structured lines, never a secret, never a stanza. Callers pass fields and a fixed message; whatever is named
 * like a secret is masked, and bytes are replaced by their number, so that no message body can slip in with an object.
 */
import pino from 'pino';
import { prettyLine } from './pretty.ts';
import { redactFields } from './redact.ts';

/** Everything a line says besides its message. An `error` field may hold an Error. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  /** A log whose lines all carry these fields too. */
  child(fields: LogFields): Log;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** What of the log is written: this and worse. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The log of the process. */
export interface RootLog extends Log {
  /** Writes out what is still buffered, blocking; for the end of the process. */
  flush(): void;
}

/** Takes one line at a time, each with its line break. */
export interface LogDestination {
  write(line: string): void;
}

export interface LogOptions {
  level: LogLevel;
  /** JSON lines unless told; `pretty` is for reading at a terminal. */
  format?: 'json' | 'pretty' | undefined;
  /** Standard output unless told, written asynchronously: a reader that is stuck does not stop the proxy. */
  destination?: LogDestination | undefined;
}

/** One line, as `captureLog` keeps it: the fields of its log and its own. */
export interface CapturedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly message: string;
}

/** While standard output takes nothing, lines beyond this many bytes are dropped rather than kept. */
const maxBufferedBytes = 8 * 1024 * 1024;

/** Creates the log of a process or of an app. */
export function createLog(options: LogOptions): RootLog {
  const stdout = options.destination
    ? undefined
    : pino.destination({ dest: 1, sync: false, maxLength: maxBufferedBytes });
  const destination = options.destination ?? (stdout as LogDestination);
  const target = options.format === 'pretty' ? asPretty(destination) : destination;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    target,
  );
  return { ...wrap(logger), flush: () => stdout?.flushSync() };
}

/** Says nothing. */
export const silentLog: Log = Object.freeze({
  child: () => silentLog,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
});

/** Keeps every line in `lines`, redacted as in the real log; for tests. */
export function captureLog(): Log & { readonly lines: CapturedLine[] } {
  const lines: CapturedLine[] = [];
  const capture = (own: LogFields): Log => {
    const at = (level: CapturedLine['level']) => (fields: LogFields, message: string) =>
      void lines.push({ level, fields: redactFields({ ...own, ...fields }), message });
    const child = (fields: LogFields) => capture({ ...own, ...fields });
    return { child, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  };
  return { ...capture({}), lines };
}

/** Redacts only what is really written: a debug line costs next to nothing while debugging is off. */
function wrap(logger: pino.Logger): Log {
  const at = (level: CapturedLine['level']) => (fields: LogFields, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](redactFields(fields), message);
  };
  return {
    child: (fields) => wrap(logger.child(redactFields(fields))),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}

function asPretty(destination: LogDestination): LogDestination {
  return { write: (line) => destination.write(prettyLine(line)) };
}
