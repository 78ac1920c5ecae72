/** What the kernel says about other processes, and how the results are shown. */
import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of /proc/PID/stat; the kernel gives all programs this unit, whatever it uses itself. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that processes have used so far, all their threads and the kernel's work for them included. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (exactSeconds(pid) ?? tickedSeconds(pid)), 0);
}

/** From the scheduler, in nanoseconds; the threads that matter live as long as the process. */
function exactSeconds(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const used = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    return used.reduce((sum, nanoseconds) => sum + Number(nanoseconds), 0) / 1e9;
  } catch {
    return undefined; // a kernel without these statistics
  }
}

/** From the clock's ticks. */
function tickedSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name of the program, in parentheses, may hold anything: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory in KiB. */
export function residentKib(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (!found) throw new Error(`process ${pid} shows no resident memory`);
  return Number(found[1]);
}

/** How many files a process may open at most. */
export function mostFiles(pid: number | 'self'): number {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'));
  return Number(found?.[1] ?? 1024);
}

export interface Result {
  readonly part: string;
  readonly name: string;
  /** The largest value that is good enough; undefined: for information. */
  readonly most?: number;
  readonly reached: number;
  readonly unit: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** A line a result: what, target, reached, whether the target was met. */
export function table(results: readonly Result[]): string {
  const rows = results.map(({ part, name, most, reached, unit }) => [
    part,
    name,
    most === undefined ? '' : `<= ${written(most)} ${unit}`,
    `${written(reached)} ${unit}`,
    most === undefined ? '' : reached <= most ? 'ok' : 'missed',
  ]);
  const all = [['part', 'what', 'target', 'reached', ''], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function isMissed({ most, reached }: Result): boolean {
  return most !== undefined && !(reached <= most);
}

function written(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}
